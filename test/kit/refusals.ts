// A refused request and its accepted twin, as pairs for tables: the refusal in the service's envelope, nothing of what is stored touched by it, and the twin served.
import type { ObservedService } from './observedService';
import { type RawReply, rawHttp } from './rawHttp';
import { hsmPath, newHsm } from './resources';

/** A request as it will be sent; what is left out is as in a good creation, by the owner, of an HSM that is there for no other case. */
export type Ask = {
  readonly method?: string;
  /** With its query; the api-version is added unless `version` is null. */
  readonly path?: string;
  readonly version?: string | null;
  readonly host?: string;
  /** Null for none. */
  readonly body?: object | string | Buffer | null;
  readonly type?: string;
  readonly chunked?: true;
  /** A principal of the directory. */
  readonly as?: string;
  /** The whole Authorization header, made when it is sent; null for none. */
  readonly authorization?: (() => string) | null;
};

export type Refusal = readonly [title: string, refused: Ask, status: number, code: string, message: string, accepted: Ask];

export function refusalsOf(observed: () => ObservedService) {
  let cases = 0;

  function ask({ method = 'PUT', path = hsmPath('twin'), version = '2023-07-01', body = newHsm(), ...more }: Ask): Promise<RawReply> {
    const { service } = observed();
    const { authorization = () => `Bearer ${service.token(more.as ?? 'owner')}` } = more;
    return rawHttp(service.port(), {
      method,
      target: version === null ? path : `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`,
      headers: { host: more.host ?? 'management.azure.com', 'content-type': more.type ?? 'application/json', ...(authorization && { authorization: authorization() }) },
      ...(body !== null && { body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      ...(more.chunked && { chunked: true }),
    });
  }

  /** All that a refused request may not touch: every row with its ETag and Timestamp, and the timers of deletions. What earlier requests set off has settled. */
  async function everything(): Promise<readonly string[]> {
    const { service, storage, instances } = observed();
    await service.clock({ advance: 'PT0S' });
    return [...(await storage.dump()), ...(await instances.all()).map(({ instanceId, status }) => `timer ${instanceId} ${status}`)];
  }

  return {
    ask,
    everything,

    /** Sends both, to the same HSM unless they say otherwise. */
    async check([, refused, status, code, message, accepted]: Refusal): Promise<void> {
      const path = hsmPath(`case-${++cases}`);
      const before = await everything();
      const reply = await ask({ path, ...refused });
      expect([reply.status, reply.json]).toEqual([status, { error: { code, message } }]);
      expect(reply.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'x-ms-request-id': expect.any(String) });
      expect(await everything()).toEqual(before);
      const twin = await ask({ path, ...accepted });
      expect([twin.status, twin.json?.error]).toEqual([twin.status < 300 ? twin.status : 'accepted', undefined]);
    },
  };
}
