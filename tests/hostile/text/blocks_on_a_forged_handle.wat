;; Row 9: waits on a handle that nobody gave it.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $block (i32.const 12345))
  (i32.const 4096))
