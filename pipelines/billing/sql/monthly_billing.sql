-- By the month of posting, 2023-01; signs as in daily_billing.
select substr(cast(d.calendar_date as varchar), 1, 7) as post_month,
       count(*) as facts,
       count(distinct f.dim_patient_pk) as patients,
       cast(sum(f.gross_charge) as decimal(16,2)) as gross_charge,
       cast(sum(f.payment) as decimal(16,2)) as payment,
       cast(sum(f.adjustment) as decimal(16,2)) as adjustment,
       cast(sum(f.ar) as decimal(16,2)) as ar
from cleansed.fact_table f
join cleansed.dim_date d on d.dim_date_pk = f.dim_date_post_pk
group by substr(cast(d.calendar_date as varchar), 1, 7)
