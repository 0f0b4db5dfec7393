// The catch-all: paths that no route matches, in the service's own shape. Its function's name must sort last, since the host picks routes by name.
import { app, type HttpMethod } from '@azure/functions';
import * as df from 'durable-functions';
import { answer } from '../shared/app';
import { fallbackFor } from '../shared/http/fallback';
import { deletedKeys } from './deletedKeys';
import { deletedManagedHsms } from './deletedManagedHsms';
import { keys } from './keys';
import { managedHsms } from './managedHsms';
import { resourceManager } from './resourceManager';

const methods: HttpMethod[] = ['GET', 'PUT', 'PATCH', 'DELETE', 'POST', 'HEAD', 'OPTIONS'];
const choose = fallbackFor([...managedHsms, ...deletedManagedHsms, ...keys, ...deletedKeys, ...resourceManager]);

app.http('zFallback', {
  methods,
  route: '{*rest}',
  authLevel: 'anonymous',
  extraInputs: [df.input.durableClient()],
  handler: (request, context) => {
    const { operation, params } = choose(request.method, request.params.rest ?? '');
    return answer(operation, request, context, params);
  },
});
