;; Row 9: names as many rows in one rejection as its memory holds, all of them row zero.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $reject
    (i32.const 0) (i32.shl (memory.size $memory) (i32.const 14))
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (i32.const 4096))
