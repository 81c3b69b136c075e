/** A u64 as the engine around the component takes it: by its own word for it where it is bundled for one. */
export const u64 = typeof WEIR_U64 === 'undefined' ? BigInt : WEIR_U64;
