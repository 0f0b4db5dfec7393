// The scenario with armkeyvault, all arguments at their defaults. One line of JSON per step on standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/keyvault/armkeyvault"
)

type outcome map[string]any

type step struct {
	Do              string             `json:"do"`
	Hsm             string             `json:"hsm"`
	RetentionDays   *int32             `json:"retentionDays"`
	PurgeProtection *bool              `json:"purgeProtection"`
	Tags            map[string]*string `json:"tags"`
}

type scenario struct {
	Group         string `json:"group"`
	Location      string `json:"location"`
	Administrator string `json:"administrator"`
	Steps         []step `json:"steps"`
}

type client struct {
	hsms *armkeyvault.ManagedHsmsClient
	scenario
}

func hsmOf(hsm armkeyvault.ManagedHsm) outcome {
	of := hsm.Properties
	return outcome{
		"name": hsm.Name, "location": hsm.Location, "uri": of.HsmURI, "state": of.ProvisioningState, "softDelete": of.EnableSoftDelete,
		"retentionDays": of.SoftDeleteRetentionInDays, "purgeProtection": of.EnablePurgeProtection, "tags": hsm.Tags,
	}
}

func deletedOf(hsm armkeyvault.DeletedManagedHsm) outcome {
	of := hsm.Properties
	return outcome{
		"name": hsm.Name, "location": of.Location, "from": of.MhsmID, "purgeProtection": of.PurgeProtectionEnabled, "tags": of.Tags,
		"deletedAt": of.DeletionDate.Format(time.RFC3339), "purgeAt": of.ScheduledPurgeDate.Format(time.RFC3339),
	}
}

// ended waits for a long-running operation as a program with defaults does.
func ended[T any](ctx context.Context, poller *runtime.Poller[T], err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return poller.PollUntilDone(ctx, nil)
}

func namesOf[T any](ctx context.Context, pager *runtime.Pager[T], namesIn func(T) []*string) (outcome, error) {
	names := []*string{}
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		names = append(names, namesIn(page)...)
	}
	return outcome{"names": names}, nil
}

func liveNames(hsms []*armkeyvault.ManagedHsm) (names []*string) {
	for _, hsm := range hsms {
		names = append(names, hsm.Name)
	}
	return names
}

func (c client) put(ctx context.Context, name string, hsm armkeyvault.ManagedHsm) (outcome, error) {
	poller, err := c.hsms.BeginCreateOrUpdate(ctx, c.Group, name, hsm, nil)
	answer, err := ended(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return hsmOf(answer.ManagedHsm), nil
}

func (c client) create(ctx context.Context, s step) (outcome, error) {
	return c.put(ctx, s.Hsm, armkeyvault.ManagedHsm{
		Location: to.Ptr(c.Location),
		SKU:      &armkeyvault.ManagedHsmSKU{Family: to.Ptr(armkeyvault.ManagedHsmSKUFamilyB), Name: to.Ptr(armkeyvault.ManagedHsmSKUNameStandardB1)},
		Tags:     s.Tags,
		Properties: &armkeyvault.ManagedHsmProperties{
			TenantID:                  to.Ptr(os.Getenv("MHSM_TENANT")),
			InitialAdminObjectIDs:     []*string{to.Ptr(c.Administrator)},
			SoftDeleteRetentionInDays: s.RetentionDays,
			EnablePurgeProtection:     s.PurgeProtection,
		},
	})
}

func (c client) recover(ctx context.Context, s step) (outcome, error) {
	properties := armkeyvault.ManagedHsmProperties{CreateMode: to.Ptr(armkeyvault.CreateModeRecover)}
	return c.put(ctx, s.Hsm, armkeyvault.ManagedHsm{Location: to.Ptr(c.Location), Properties: &properties})
}

func (c client) update(ctx context.Context, s step) (outcome, error) {
	change := armkeyvault.ManagedHsm{Tags: s.Tags}
	if s.PurgeProtection != nil {
		change.Properties = &armkeyvault.ManagedHsmProperties{EnablePurgeProtection: s.PurgeProtection}
	}
	poller, err := c.hsms.BeginUpdate(ctx, c.Group, s.Hsm, change, nil)
	answer, err := ended(ctx, poller, err)
	if err != nil {
		return nil, err
	}
	return hsmOf(answer.ManagedHsm), nil
}

func (c client) checkName(ctx context.Context, s step) (outcome, error) {
	answer, err := c.hsms.CheckMhsmNameAvailability(ctx, armkeyvault.CheckMhsmNameAvailabilityParameters{Name: to.Ptr(s.Hsm)}, nil)
	if err != nil {
		return nil, err
	}
	found := outcome{"available": answer.NameAvailable}
	if answer.Reason != nil {
		found["reason"] = answer.Reason
	}
	return found, nil
}

func (c client) do(ctx context.Context, s step) (outcome, error) {
	switch s.Do {
	case "checkName":
		return c.checkName(ctx, s)
	case "create":
		return c.create(ctx, s)
	case "update":
		return c.update(ctx, s)
	case "recover":
		return c.recover(ctx, s)
	case "get":
		answer, err := c.hsms.Get(ctx, c.Group, s.Hsm, nil)
		if err != nil {
			return nil, err
		}
		return hsmOf(answer.ManagedHsm), nil
	case "getDeleted":
		answer, err := c.hsms.GetDeleted(ctx, s.Hsm, c.Location, nil)
		if err != nil {
			return nil, err
		}
		return deletedOf(answer.DeletedManagedHsm), nil
	case "list":
		return namesOf(ctx, c.hsms.NewListBySubscriptionPager(nil), func(page armkeyvault.ManagedHsmsClientListBySubscriptionResponse) []*string {
			return liveNames(page.Value)
		})
	case "listByGroup":
		return namesOf(ctx, c.hsms.NewListByResourceGroupPager(c.Group, nil), func(page armkeyvault.ManagedHsmsClientListByResourceGroupResponse) []*string {
			return liveNames(page.Value)
		})
	case "listDeleted":
		return namesOf(ctx, c.hsms.NewListDeletedPager(nil), func(page armkeyvault.ManagedHsmsClientListDeletedResponse) (names []*string) {
			for _, hsm := range page.Value {
				names = append(names, hsm.Name)
			}
			return names
		})
	case "delete":
		poller, err := c.hsms.BeginDelete(ctx, c.Group, s.Hsm, nil)
		_, err = ended(ctx, poller, err)
		return outcome{}, err
	case "purge":
		poller, err := c.hsms.BeginPurgeDeleted(ctx, s.Hsm, c.Location, nil)
		_, err = ended(ctx, poller, err)
		return outcome{}, err
	}
	return nil, fmt.Errorf("unknown step %q", s.Do)
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var c client
	if err := json.Unmarshal(text, &c.scenario); err != nil {
		log.Fatal(err)
	}
	credential, err := azidentity.NewClientSecretCredential(os.Getenv("MHSM_TENANT"), "owner", "any", nil)
	if err != nil {
		log.Fatal(err)
	}
	if c.hsms, err = armkeyvault.NewManagedHsmsClient(os.Getenv("MHSM_SUBSCRIPTION"), credential, nil); err != nil {
		log.Fatal(err)
	}
	lines := json.NewEncoder(os.Stdout)
	for _, s := range c.Steps {
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
