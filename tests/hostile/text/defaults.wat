;; One function a paragraph: what the guest in the frame does where a fragment defines no function of
;; that name.

(func $cabi_realloc (param $old i32) (param $old_bytes i32) (param $align i32) (param $bytes i32) (result i32)
  (call $allocate (local.get $bytes)))

;; Six empty strings and lists, at an address where nothing has been written.
(func $describe (result i32) (i32.const 1024))

;; One output, `out`, of the schema of the input: fields lie in memory as they came.
(func $bind
  (param $config i32) (param $config_bytes i32) (param $pipeline i32) (param $pipeline_bytes i32)
  (param $step i32) (param $step_bytes i32) (param $parameters i32) (param $parameters_count i32)
  (param $input i32) (param $fields i32) (param $sides i32) (param $sides_count i32) (result i32)
  (i32.store8 (i32.const 2048) (i32.const 0))
  (i32.store (i32.const 2052) (i32.const 2064))
  (i32.store (i32.const 2056) (i32.const 1))
  (i32.store (i32.const 2064) (i32.const 2080))
  (i32.store (i32.const 2068) (i32.const 3))
  (i32.store (i32.const 2072) (local.get $input))
  (i32.store (i32.const 2076) (local.get $fields))
  (i32.store (i32.const 2080) (i32.const 0x74756f))
  (i32.const 2048))

(func $process
  (param $rows i32) (param $nodes i32) (param $nodes_count i32) (param $buffers i32) (param $buffers_count i32)
  (result i32)
  (call $emit (i32.const 0)
    (local.get $rows) (local.get $nodes) (local.get $nodes_count) (local.get $buffers) (local.get $buffers_count)
    (i32.const 0) (i32.const 0) (i32.const 0))
  (i32.const 4096))

(func $finish (result i32) (i32.const 4096))

(func $post_process (param $returned i32))
