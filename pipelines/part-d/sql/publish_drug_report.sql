-- Only once the day's rows have been counted and did not drift.
select r.drug_brand_name, r.drug, r.drug_type, r.total_claims, r.total_drug_cost
from curated.drug_report r
join curated.row_counts c on c.load_date = r.load_date and c.table_name = 'drug_report'
where r.load_date = $date
