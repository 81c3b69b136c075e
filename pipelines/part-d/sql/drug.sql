-- One row for each brand and drug. It is an antibiotic if any row says so, the nation's or a state's:
-- what the rows are ordered by does not matter.
select nullif(brnd_name, '') as drug_brand_name,
       nullif(gnrc_name, '') as drug,
       case when max(case when antbtc_drug_flag = 'Y' then 1 else 0 end) = 1
            then 'Antibiotic' else 'Non-antibiotic' end as drug_type
from raw.drug
where ingest_date <= $date
group by nullif(brnd_name, ''), nullif(gnrc_name, '')
