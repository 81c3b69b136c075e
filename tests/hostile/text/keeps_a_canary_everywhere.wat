;; Row 12: leaves a canary in a global, in a table, in memory it has and in memory it grows into, and says by a metric how often it found one.

(global $canary (mut i64) (i64.const 0))
(table $kept 1 funcref)
(data (i32.const 8192) "seen")
(func $process
  (param $rows i32) (param $nodes i32) (param $nodes_count i32) (param $buffers i32) (param $buffers_count i32)
  (result i32) (local $page i32) (local $seen i32)
  (local.set $seen (i64.ne (global.get $canary) (i64.const 0)))
  (local.set $seen (i32.or (local.get $seen) (i32.eqz (ref.is_null (table.get $kept (i32.const 0))))))
  (local.set $seen (i32.or (local.get $seen) (i64.ne (i64.load (i32.const 16384)) (i64.const 0))))
  (local.set $page (i32.shl (memory.grow $memory (i32.const 1)) (i32.const 16)))
  (if (i32.ne (local.get $page) (i32.const 0xffff0000))
    (then
      (local.set $seen (i32.or (local.get $seen) (i64.ne (i64.load (local.get $page)) (i64.const 0))))
      (i64.store (local.get $page) (i64.const 0xfeedcafef00dbeef))))
  (global.set $canary (i64.const 0xfeedcafef00dbeef))
  (table.set $kept (i32.const 0) (ref.func $finish))
  (i64.store (i32.const 16384) (i64.const 0xfeedcafef00dbeef))
  (call $metric (i32.const 8192) (i32.const 4) (f64.convert_i32_u (local.get $seen)))
  (i32.const 4096))
