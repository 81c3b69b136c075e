-- Only once the day's rows have been counted and did not drift.
select r.presc_id, r.presc_fullname, r.presc_type, r.presc_specialty, r.presc_city,
       r.presc_state_code, r.state_name, r.total_population, r.num_city,
       r.drug_brand_name, r.drug, r.total_claims, r.total_drug_cost
from curated.prescriber_report r
join curated.row_counts c on c.load_date = r.load_date and c.table_name = 'prescriber_report'
where r.load_date = $date
