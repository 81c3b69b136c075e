;; Row 13: uses shared memory.

(memory 1 1 shared)
