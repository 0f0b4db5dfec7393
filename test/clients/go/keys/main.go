// The keys' scenario with azkeys, all arguments at their defaults. One line of JSON per step on standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

type outcome map[string]any

type step struct {
	Do      string                 `json:"do"`
	Key     string                 `json:"key"`
	Kty     azkeys.KeyType         `json:"kty"`
	Size    *int32                 `json:"size"`
	Crv     *azkeys.CurveName      `json:"crv"`
	Ops     []*azkeys.KeyOperation `json:"ops"`
	Enabled *bool                  `json:"enabled"`
	Expires *int64                 `json:"expires"`
	Tags    map[string]*string     `json:"tags"`
	Version *int                   `json:"version"`
}

type client struct {
	keys *azkeys.Client
	// All versions created, in order.
	created []string
}

// azkeys has no pollers: programs ask again themselves, as its examples do.
const pollInterval = time.Second

func keyOf(key *azkeys.JSONWebKey, of *azkeys.KeyAttributes, tags map[string]*string) outcome {
	ops := []string{}
	for _, op := range key.KeyOps {
		ops = append(ops, string(*op))
	}
	slices.Sort(ops)
	found := outcome{
		"name": key.KID.Name(), "kty": key.Kty, "crv": key.Crv, "ops": ops, "enabled": of.Enabled,
		"recoveryLevel": of.RecoveryLevel, "recoverableDays": of.RecoverableDays, "version": key.KID.Version(),
	}
	if key.N != nil {
		found["bits"] = len(key.N) * 8
	}
	if of.Expires != nil {
		found["expires"] = of.Expires.Unix()
	}
	if tags != nil {
		found["tags"] = tags
	}
	return found
}

func deletedOf(key azkeys.DeletedKey) outcome {
	found := keyOf(key.Key, key.Attributes, key.Tags)
	found["recoveryId"] = key.RecoveryID
	found["deletedAt"] = key.DeletedDate.Format(time.RFC3339)
	found["purgeAt"] = key.ScheduledPurgeDate.Format(time.RFC3339)
	return found
}

func (c *client) versionOf(s step) string {
	if s.Version == nil {
		return ""
	}
	return c.created[*s.Version-1]
}

func attributesOf(s step) *azkeys.KeyAttributes {
	attributes := azkeys.KeyAttributes{Enabled: s.Enabled}
	if s.Expires != nil {
		expires := time.Unix(*s.Expires, 0)
		attributes.Expires = &expires
	}
	return &attributes
}

// there asks until what a deletion or a recovery leads to is there.
func there(ask func() error) error {
	for {
		err := ask()
		var refused *azcore.ResponseError
		if !errors.As(err, &refused) || refused.StatusCode != http.StatusNotFound {
			return err
		}
		time.Sleep(pollInterval)
	}
}

func (c *client) create(ctx context.Context, s step) (outcome, error) {
	answer, err := c.keys.CreateKey(ctx, s.Key, azkeys.CreateKeyParameters{
		Kty: &s.Kty, KeySize: s.Size, Curve: s.Crv, KeyOps: s.Ops, KeyAttributes: attributesOf(s), Tags: s.Tags,
	}, nil)
	if err != nil {
		return nil, err
	}
	c.created = append(c.created, answer.Key.KID.Version())
	return keyOf(answer.Key, answer.Attributes, answer.Tags), nil
}

func (c *client) delete(ctx context.Context, s step) (outcome, error) {
	if _, err := c.keys.DeleteKey(ctx, s.Key, nil); err != nil {
		return nil, err
	}
	var found outcome
	err := there(func() error {
		answer, err := c.keys.GetDeletedKey(ctx, s.Key, nil)
		if err == nil {
			found = deletedOf(answer.DeletedKey)
		}
		return err
	})
	return found, err
}

func (c *client) recover(ctx context.Context, s step) (outcome, error) {
	if _, err := c.keys.RecoverDeletedKey(ctx, s.Key, nil); err != nil {
		return nil, err
	}
	var found outcome
	err := there(func() error {
		answer, err := c.keys.GetKey(ctx, s.Key, "", nil)
		if err == nil {
			found = keyOf(answer.Key, answer.Attributes, answer.Tags)
		}
		return err
	})
	return found, err
}

func listed[T any](ctx context.Context, pager *runtime.Pager[T], as string, in func(T) []string) (outcome, error) {
	found := []string{}
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, in(page)...)
	}
	return outcome{as: found}, nil
}

func (c *client) do(ctx context.Context, s step) (outcome, error) {
	switch s.Do {
	case "create":
		return c.create(ctx, s)
	case "delete":
		return c.delete(ctx, s)
	case "recover":
		return c.recover(ctx, s)
	case "update":
		change := azkeys.UpdateKeyParameters{KeyOps: s.Ops, KeyAttributes: attributesOf(s), Tags: s.Tags}
		answer, err := c.keys.UpdateKey(ctx, s.Key, c.versionOf(s), change, nil)
		if err != nil {
			return nil, err
		}
		return keyOf(answer.Key, answer.Attributes, answer.Tags), nil
	case "get":
		answer, err := c.keys.GetKey(ctx, s.Key, c.versionOf(s), nil)
		if err != nil {
			return nil, err
		}
		return keyOf(answer.Key, answer.Attributes, answer.Tags), nil
	case "getDeleted":
		answer, err := c.keys.GetDeletedKey(ctx, s.Key, nil)
		if err != nil {
			return nil, err
		}
		return deletedOf(answer.DeletedKey), nil
	case "versions":
		return listed(ctx, c.keys.NewListKeyPropertiesVersionsPager(s.Key, nil), "versions", func(page azkeys.ListKeyPropertiesVersionsResponse) (found []string) {
			for _, of := range page.Value {
				found = append(found, of.KID.Version())
			}
			return found
		})
	case "list":
		return listed(ctx, c.keys.NewListKeyPropertiesPager(nil), "names", func(page azkeys.ListKeyPropertiesResponse) (found []string) {
			for _, of := range page.Value {
				found = append(found, of.KID.Name())
			}
			return found
		})
	case "listDeleted":
		return listed(ctx, c.keys.NewListDeletedKeyPropertiesPager(nil), "names", func(page azkeys.ListDeletedKeyPropertiesResponse) (found []string) {
			for _, of := range page.Value {
				found = append(found, of.KID.Name())
			}
			return found
		})
	case "purge":
		_, err := c.keys.PurgeDeletedKey(ctx, s.Key, nil)
		return outcome{}, err
	}
	return nil, fmt.Errorf("unknown step %q", s.Do)
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var scenario struct {
		Hsm   string `json:"hsm"`
		Steps []step `json:"steps"`
	}
	if err := json.Unmarshal(text, &scenario); err != nil {
		log.Fatal(err)
	}
	credential, err := azidentity.NewClientSecretCredential(os.Getenv("MHSM_TENANT"), "owner", "any", nil)
	if err != nil {
		log.Fatal(err)
	}
	var c client
	if c.keys, err = azkeys.NewClient("https://"+scenario.Hsm+".managedhsm.azure.net", credential, nil); err != nil {
		log.Fatal(err)
	}
	lines := json.NewEncoder(os.Stdout)
	for _, s := range scenario.Steps {
		found, err := c.do(context.Background(), s)
		var refused *azcore.ResponseError
		if errors.As(err, &refused) {
			found = outcome{"status": refused.StatusCode, "code": refused.ErrorCode}
		} else if err != nil {
			log.Fatal(err)
		}
		if err := lines.Encode(found); err != nil {
			log.Fatal(err)
		}
	}
}
