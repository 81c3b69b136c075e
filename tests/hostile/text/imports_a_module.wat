;; Row 13: asks for a core module, which would be linked into it.

(component
  (import "libc" (core module))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
