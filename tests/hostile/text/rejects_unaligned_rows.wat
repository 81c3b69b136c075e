;; Row 9: a list of rows at an odd address.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $reject (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (i32.const 4096))
