// One request to the control plane of an instance on this machine, by TLS to its edge, for what the SDKs in use have no method for: resource groups.
import { request } from 'node:https';

export type ControlPlane = {
  readonly edgePort: number;
  readonly subscriptionId: string;
  /** A bearer token for the control plane. */
  readonly token: string;
  /** The authority's certificate, PEM; left out where NODE_EXTRA_CA_CERTS names it. */
  readonly ca?: string;
};

const HOST = 'management.azure.com';
const API_VERSION = '2024-11-01';

/** Makes a resource group, or finds it there. @throws Error with the answer, if it is another one */
export async function putResourceGroup({ edgePort, subscriptionId, token, ca }: ControlPlane, name: string, location: string): Promise<void> {
  const body = JSON.stringify({ location });
  const { status, text } = await new Promise<{ readonly status: number | undefined; readonly text: string }>((settle, fail) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: edgePort,
        servername: HOST,
        method: 'PUT',
        path: `/subscriptions/${subscriptionId}/resourceGroups/${encodeURIComponent(name)}?api-version=${API_VERSION}`,
        headers: { host: HOST, authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        agent: false,
        ...(ca !== undefined && { ca }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => settle({ status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') }));
      },
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
  if (status !== 200 && status !== 201) throw new Error(`The resource group was answered ${status}: ${text}`);
}
