;; Row 13: asks for what looks like an interface of WASI.

(component
  (import "wasi:cli/environment-x@0.2.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
