with sums as (
    select drug_brand_name, drug,
           sum(total_claims) as total_claims, sum(total_drug_cost) as total_drug_cost
    from cleansed.prescriber_drug
    where load_date = $date
    group by drug_brand_name, drug
)
select s.drug_brand_name, s.drug, d.drug_type,
       cast(s.total_claims as bigint) as total_claims,
       cast(s.total_drug_cost as decimal(20,2)) as total_drug_cost
from sums s
left join cleansed.drug d
  on d.drug_brand_name = s.drug_brand_name and d.drug = s.drug and d.load_date = $date
