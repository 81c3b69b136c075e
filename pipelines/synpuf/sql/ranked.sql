select cast(row_number() over (order by predicted_cost desc, desynpuf_id, year) as bigint) as rank,
       desynpuf_id, year, split, annual_cost, predicted_cost, model_version
from (
    select desynpuf_id, year, split, annual_cost, model_version,
           cast(round(predicted_cost, 2) as decimal(14,2)) as predicted_cost
    from input
)
order by rank
