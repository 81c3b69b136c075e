-- Six decimals are kept: the last digits depend on how rows were shared out among partitions, and
-- the same rows shall give the same model. A model is called by what it is, so that no two have one
-- name; adding 0 makes -0 a 0.
with rounded as (
    select feature,
           round(coefficient, 6) + 0.0 as coefficient,
           rows as train_rows,
           round(rmse, 6) as train_rmse,
           round(r2, 6) as train_r2
    from input
), version as (
    select substr(md5(concat_ws(' ', cast($seed as varchar), cast(max(train_rows) as varchar),
               string_agg(concat(feature, '=', cast(coefficient as varchar)), ' ' order by feature))), 1, 16) as model_version
    from rounded
)
select v.model_version, r.*
from rounded r
cross join version v
