-- By the day of posting. Signs are those of the facts: payments and adjustments are negative, reversals are in
-- gross_charge, and gross_charge + payment + adjustment = ar.
select d.calendar_date as post_date,
       count(*) as facts,
       count(distinct f.dim_patient_pk) as patients,
       cast(sum(f.gross_charge) as decimal(16,2)) as gross_charge,
       cast(sum(f.payment) as decimal(16,2)) as payment,
       cast(sum(f.adjustment) as decimal(16,2)) as adjustment,
       cast(sum(f.ar) as decimal(16,2)) as ar
from fact_table f
join dim_date d on d.dim_date_pk = f.dim_date_post_pk
group by d.calendar_date
