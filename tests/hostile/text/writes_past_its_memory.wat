;; Row 11: writes one byte past the end of memory.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store8 (i32.shl (memory.size $memory) (i32.const 16)) (i32.const 1))
  (i32.const 4096))
