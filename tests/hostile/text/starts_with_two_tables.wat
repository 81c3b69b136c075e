;; Row 7: has two tables, each of which fits the limit and which together do not.

(table 90000 funcref)
(table 90000 funcref)
