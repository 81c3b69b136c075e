;; Row 13: asks for the host with a function of another type.

(component
  (import "weir:plugin/host@0.1.0" (instance (export "log" (func (param "message" string)))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $transformer
    (export "describe" (func $f)) (export "bind" (func $f))
    (export "process" (func $f)) (export "finish" (func $f)))
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
