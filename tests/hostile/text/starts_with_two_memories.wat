;; Row 7: has two memories, each of which fits a grant of 16 MiB and which together do not.

(memory $one 150)
(memory $two 150)
