// Which plane a Host header names: one label plus the suffix, whole, and the control host; everything else names none.
import { type HostNames, requestHost } from '../../shared/http/requestHost';

const azure: HostNames = { controlHost: 'management.azure.com', hsmSuffix: 'managedhsm.azure.net' };
const withPorts: HostNames = { controlHost: 'localhost:7071', hsmSuffix: 'managedhsm.localhost:7071' };

test.each<[string | null, string]>([
  ['management.azure.com', 'control'],
  ['MANAGEMENT.AZURE.COM', 'control'],
  ['management.azure.com:443', 'control'],
  ['management.azure.com:8443', 'control'],
  ['management.azure.com.', 'neither'],
  ['xmanagement.azure.com', 'neither'],
  ['x.management.azure.com', 'neither'],
  ['management.azure.com.evil.test', 'neither'],
  ['contoso.managedhsm.azure.net', 'hsm contoso'],
  ['Contoso.ManagedHSM.Azure.Net', 'hsm contoso'],
  ['contoso.managedhsm.azure.net:443', 'hsm contoso'],
  ['contoso.managedhsm.azure.net:65535', 'hsm contoso'],
  ['con-toso1.managedhsm.azure.net', 'hsm con-toso1'],
  ['contoso.managedhsm.azure.net:', 'neither'],
  ['contoso.managedhsm.azure.net:123456', 'neither'],
  ['contoso.managedhsm.azure.net:443:443', 'neither'],
  ['contoso.managedhsm.azure.net:443x', 'neither'],
  ['contoso.managedhsm.azure.net.', 'neither'],
  ['contoso.managedhsm.azure.net.:443', 'neither'],
  ['a.contoso.managedhsm.azure.net', 'neither'],
  ['.managedhsm.azure.net', 'neither'],
  ['managedhsm.azure.net', 'neither'],
  ['contosomanagedhsm.azure.net', 'neither'],
  ['contoso.xmanagedhsm.azure.net', 'neither'],
  ['contoso.managedhsm.azure.net.evil.test', 'neither'],
  ['contoso.managedhsm.azure.com', 'neither'],
  ['contoso.managedhsm-azure.net', 'neither'],
  ['ab.managedhsm.azure.net', 'neither'],
  ['-abc.managedhsm.azure.net', 'neither'],
  ['a--b.managedhsm.azure.net', 'neither'],
  ['1abc.managedhsm.azure.net', 'neither'],
  ['a_bc.managedhsm.azure.net', 'neither'],
  ['a2345678901234567890123x.managedhsm.azure.net', 'hsm a2345678901234567890123x'],
  ['a23456789012345678901234x.managedhsm.azure.net', 'neither'],
  ['contoso.managedhsm.azure.net, contoso.managedhsm.azure.net', 'neither'],
  ['management.azure.com, management.azure.com', 'neither'],
  ['contoso.managedhsm.azure.net,management.azure.com', 'neither'],
  ['user@contoso.managedhsm.azure.net', 'neither'],
  ['https://contoso.managedhsm.azure.net', 'neither'],
  ['contoso.managedhsm.azure.net/', 'neither'],
  [' contoso.managedhsm.azure.net', 'neither'],
  ['contoso.managedhsm.azure.net ', 'neither'],
  ['127.0.0.1', 'neither'],
  ['[::1]:443', 'neither'],
  ['localhost', 'neither'],
  ['', 'neither'],
  [':443', 'neither'],
  ['.', 'neither'],
  [null, 'neither'],
])('%j: %s', (host, plane) => {
  const found = requestHost(host, azure);
  expect(!found ? 'neither' : found.kind === 'hsm' ? `hsm ${found.hsm}` : 'control').toBe(plane);
});

test.each([
  ['localhost:7071', 'control'],
  ['localhost:9999', 'control'],
  ['localhost', 'control'],
  ['contoso.managedhsm.localhost:7071', 'hsm'],
  ['contoso.managedhsm.localhost', 'hsm'],
  ['contoso.localhost:7071', undefined],
])('a port is ignored on both sides of the comparison: %s', (host, kind) => {
  expect(requestHost(host, withPorts)?.kind).toBe(kind);
});
