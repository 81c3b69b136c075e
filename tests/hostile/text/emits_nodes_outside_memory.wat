;; Row 2: a batch whose nodes lie past the end of memory.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $emit (i32.const 0)
    (local.get 0) (i32.const 0xfffffff8) (local.get 2) (local.get 3) (local.get 4)
    (i32.const 0) (i32.const 0) (i32.const 0))
  (i32.const 4096))
