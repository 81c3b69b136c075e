;; Row 13: asks the host for a function that it does not have.

(component
  (import "weir:plugin/host@0.1.0" (instance (export "run" (func (param "command" string)))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $transformer
    (export "describe" (func $f)) (export "bind" (func $f))
    (export "process" (func $f)) (export "finish" (func $f)))
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
