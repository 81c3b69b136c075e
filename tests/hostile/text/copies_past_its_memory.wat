;; Row 11: copies more than there is.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (memory.copy (i32.const 0) (i32.const 1) (i32.shl (memory.size $memory) (i32.const 16)))
  (i32.const 4096))
