-- The rows of the release that had arrived by the day, with what the checks look at. By `id` and
-- `ingest_date` a row in quarantine is found in raw and in the source.
select id, ingest_date,
       prscrbr_npi, prscrbr_last_org_name, prscrbr_first_name, prscrbr_city, prscrbr_state_abrvtn, prscrbr_type,
       brnd_name, gnrc_name, tot_clms, tot_30day_fills, tot_drug_cst,
       ge65_sprsn_flag, ge65_tot_clms, ge65_tot_30day_fills, ge65_tot_drug_cst, ge65_tot_day_suply,
       ge65_bene_sprsn_flag, ge65_tot_benes
from raw.prescriber_drug
where ingest_date between $since and $date
