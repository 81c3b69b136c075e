// Why a plugin cannot go on, and why a row cannot.

/**
 * A call that could not be done; it ends the step. Throw one of the four subclasses: which one says
 * who mends it. Messages carry names, counts and places, never values of the data.
 */
export class PluginError extends Error {
  /** The contract's name of the kind. */
  kind = 'fatal';

  constructor(message) {
    super(message);
    this.name = this.constructor.name;
  }
}

/** The configuration does not fit; the pipeline's author mends it. */
export class ConfigError extends PluginError {
  kind = 'config';
}

/** The input as a whole cannot be used, such as a column that is missing. */
export class DataError extends PluginError {
  kind = 'data';
}

/** It may work if tried again later. */
export class RetryError extends PluginError {
  kind = 'retry';
}

/** It will not work; the plugin's author mends it. */
export class FatalError extends PluginError {
  kind = 'fatal';
}

/**
 * Thrown in `RowTransform.row`: rejects the row. What was emitted from it before is withdrawn. The
 * message stands in quarantine beside the row: say what is demanded, and leave the value out.
 */
export class Reject extends Error {
  constructor(rule, message = rule.description) {
    super(message);
    this.name = 'Reject';
    this.rule = rule;
  }
}
