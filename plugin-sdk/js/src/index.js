// What a JavaScript author of a Weir plugin uses; `index.d.ts` beside it says what each thing is.

export { Batch, Column, fits } from './columns.js';
export { ConfigError, DataError, FatalError, PluginError, Reject, RetryError } from './errors.js';
export { Fold } from './fold.js';
export { log, metric, secret } from './host.js';
export { Check, Context, Decoder, Output, RowCheck, RowTransform, Rule, Transform } from './plugin.js';
export { Source } from './source.js';
export { DataType, Field, Schema, types } from './types.js';
export { decodeUtf8 } from './utf8.js';
export { fromDate, toDate } from './values.js';
