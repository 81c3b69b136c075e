-- The model with how good it is, on the rows that it has seen and on those held out. Sums are of
-- decimals, so that their order does not matter.
with held_out as (
    select nullif(count(*), 0) as n,
           sum(annual_cost) as total,
           sum(annual_cost * annual_cost) as squares,
           sum((annual_cost - predicted_cost) * (annual_cost - predicted_cost)) as residuals
    from curated.predictions
    where split = 'held-out'
)
select f.model_version, f.feature, f.coefficient,
       $seed as seed,
       f.train_rows, f.train_rmse, f.train_r2,
       coalesce(h.n, 0) as held_out_rows,
       round(sqrt(cast(h.residuals as double) / h.n), 6) as held_out_rmse,
       round(1 - cast(h.residuals as double)
                 / nullif(cast(h.squares as double) - cast(h.total as double) * cast(h.total as double) / h.n, 0), 6) as held_out_r2
from curated.fitted f
cross join held_out h
