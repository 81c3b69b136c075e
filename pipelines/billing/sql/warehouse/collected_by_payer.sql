-- Collected is what was paid, with the sign turned: -sum(payment). Pending is what is still owed: sum(ar). The share is
-- collected of the two together, null where they come to nothing.
with sums as (
    select p.dim_payer_pk, p.payer_name, count(*) as facts, count(distinct f.dim_patient_pk) as patients, sum(f.gross_charge) as gross_charge, -sum(f.payment) as collected,
           -sum(f.adjustment) as adjusted, sum(f.ar) as pending
    from fact_table f
    join dim_payer p on p.dim_payer_pk = f.dim_payer_pk
    group by p.dim_payer_pk, p.payer_name
)
select dim_payer_pk, payer_name, facts, patients,
       cast(gross_charge as decimal(16,2)) as gross_charge,
       cast(collected as decimal(16,2)) as collected,
       cast(adjusted as decimal(16,2)) as adjusted,
       cast(pending as decimal(16,2)) as pending,
       cast(collected * 100 / nullif(collected + pending, 0) as decimal(18,2)) as collected_percent
from sums
