;; What a fragment of text is put into: a transform of track 0.1 that gives back what it is given,
;; but for the functions that the fragment defines. Braces mark where it goes, and how many pages of
;; memory there are at first.
(component
  (import "weir:plugin/types@0.1.0" (instance $types
    (type $unit' (enum "second" "millisecond" "microsecond" "nanosecond"))
    (export "time-unit" (type $unit (eq $unit')))
    (type $timestamp' (record (field "unit" $unit) (field "zone" (option string))))
    (export "timestamp-type" (type $timestamp (eq $timestamp')))
    (type $decimal' (record (field "precision" u8) (field "scale" s8)))
    (export "decimal-type" (type $decimal (eq $decimal')))
    (type $data-type' (variant
      (case "boolean") (case "int8") (case "int16") (case "int32") (case "int64")
      (case "uint8") (case "uint16") (case "uint32") (case "uint64")
      (case "float16") (case "float32") (case "float64") (case "utf8") (case "binary")
      (case "date32") (case "date64") (case "time32" $unit) (case "time64" $unit)
      (case "timestamp" $timestamp) (case "decimal128" $decimal) (case "list") (case "struct")))
    (export "data-type" (type $data-type (eq $data-type')))
    (type $field' (record
      (field "name" string) (field "data-type" $data-type) (field "nullable" bool) (field "children" u32)))
    (export "field" (type $field (eq $field')))
    (type $node' (record (field "length" u32) (field "null-count" u32)))
    (export "node" (type $node (eq $node')))
    (type $batch' (record
      (field "rows" u32) (field "nodes" (list $node)) (field "buffers" (list (list u8)))))
    (export "batch" (type $batch (eq $batch')))
    (type $error' (variant
      (case "config" string) (case "data" string) (case "retry" string) (case "fatal" string)))
    (export "error" (type $error (eq $error')))
    (type $rule' (record (field "name" string) (field "description" string)))
    (export "rule" (type $rule (eq $rule')))
    (type $info' (record
      (field "name" string) (field "version" string) (field "description" string)
      (field "config-schema" string) (field "columns" (list string)) (field "rules" (list $rule))))
    (export "info" (type $info (eq $info')))
    (type $parameter' (record (field "name" string) (field "value" string)))
    (export "parameter" (type $parameter (eq $parameter')))
    (type $run' (record
      (field "pipeline" string) (field "step" string) (field "parameters" (list $parameter))))
    (export "run" (type $run (eq $run')))
    (type $side-input' (record (field "name" string) (field "schema" (list $field))))
    (export "side-input" (type $side-input (eq $side-input')))
    (type $output' (record (field "name" string) (field "schema" (list $field))))
    (export "output" (type $output (eq $output')))))
  (alias export $types "batch" (type $batch))
  (alias export $types "error" (type $error))
  (alias export $types "field" (type $field))
  (alias export $types "info" (type $info))
  (alias export $types "output" (type $output))
  (alias export $types "run" (type $run))
  (alias export $types "side-input" (type $side-input))
  (import "weir:plugin/host@0.1.0" (instance $host
    (type $level' (enum "debug" "info" "warn"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))
    (export "metric" (func (param "name" string) (param "value" f64)))))
  (import "weir:plugin/emitting@0.1.0" (instance $emitting
    (alias outer 1 $batch (type $batch'))
    (export "batch" (type $batch (eq $batch')))
    (export "emit" (func (param "output" u32) (param "rows" $batch) (param "origin" (option (list u32)))))
    (export "reject" (func (param "rows" (list u32)) (param "rule" string) (param "message" string)))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-instant" (func (param "when" u64) (result (own $pollable))))))

  (core module $store
    (memory (export "memory") {pages})
    (global $next (mut i32) (i32.const 65536))
    ;; Never frees; grows the memory when it must. What it gives is aligned to 16 bytes.
    (func (export "allocate") (param $bytes i32) (result i32) (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.and
        (i32.add (i32.add (global.get $next) (local.get $bytes)) (i32.const 15)) (i32.const -16)))
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get $bytes) (i32.const 16)) (i32.const 1))))))
      (local.get $at)))
  (core instance $store (instantiate $store))
  (alias core export $store "memory" (core memory $memory))
  ;; Functions that return lists need a `realloc`, which the guest defines and which needs them: a
  ;; table, filled in once both are there, breaks the circle.
  (core module $later
    (type $realloc (func (param i32 i32 i32 i32) (result i32)))
    (table (export "table") 1 funcref)
    (func (export "realloc") (type $realloc)
      (call_indirect (type $realloc)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0))))
  (core instance $later (instantiate $later))
  (core func $log (canon lower (func $host "log") (memory $memory)))
  (core func $metric (canon lower (func $host "metric") (memory $memory)))
  (core func $emit (canon lower (func $emitting "emit") (memory $memory)))
  (core func $reject (canon lower (func $emitting "reject") (memory $memory)))
  (core func $log16 (canon lower (func $host "log") (memory $memory) string-encoding=utf16))
  (core func $arguments (canon lower (func $environment "get-arguments")
    (memory $memory) (realloc (core func $later "realloc"))))
  (core func $random-bytes (canon lower (func $random "get-random-bytes")
    (memory $memory) (realloc (core func $later "realloc"))))
  (core func $subscribe (canon lower (func $clock "subscribe-instant")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $guest
    (type $realloc (func (param i32 i32 i32 i32) (result i32)))
    (import "store" "memory" (memory $memory {pages}))
    (import "store" "allocate" (func $allocate (param i32) (result i32)))
    (import "later" "table" (table $later 1 funcref))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "log16" (func $log16 (param i32 i32 i32)))
    (import "host" "metric" (func $metric (param i32 i32 f64)))
    (import "host" "emit" (func $emit (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "reject" (func $reject (param i32 i32 i32 i32 i32 i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "random-bytes" (func $random-bytes (param i64 i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
{guest}
    (elem (table $later) (i32.const 0) func $cabi_realloc)
    (export "cabi_realloc" (func $cabi_realloc))
    (export "describe" (func $describe))
    (export "bind" (func $bind))
    (export "process" (func $process))
    (export "finish" (func $finish))
    (export "post_process" (func $post_process)))
  (core instance $guest (instantiate $guest
    (with "store" (instance $store))
    (with "later" (instance $later))
    (with "host" (instance
      (export "log" (func $log)) (export "log16" (func $log16)) (export "metric" (func $metric))
      (export "emit" (func $emit)) (export "reject" (func $reject))
      (export "arguments" (func $arguments)) (export "random-bytes" (func $random-bytes))
      (export "subscribe" (func $subscribe)) (export "block" (func $block))))))
  (func $describe (result $info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $bind
    (param "config" string) (param "run" $run) (param "input" (list $field)) (param "side-inputs" (list $side-input))
    (result (result (list $output) (error $error)))
    (canon lift (core func $guest "bind") (memory $memory) (realloc (core func $guest "cabi_realloc"))))
  (func $process (param "rows" $batch) (result (result (error $error)))
    (canon lift (core func $guest "process") (memory $memory) (realloc (core func $guest "cabi_realloc"))
      (post-return (core func $guest "post_process"))))
  (func $finish (result (result (error $error)))
    (canon lift (core func $guest "finish") (memory $memory)))
  (instance $transformer
    (export "describe" (func $describe)) (export "bind" (func $bind))
    (export "process" (func $process)) (export "finish" (func $finish)))
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
