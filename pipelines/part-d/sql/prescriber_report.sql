select p.presc_id, p.presc_fullname, r.presc_type, p.presc_specialty, r.city as presc_city,
       p.presc_state_code, s.state_name, s.total_population, s.num_city,
       p.drug_brand_name, p.drug, p.total_claims, p.total_drug_cost
from cleansed.prescriber_drug p
join cleansed.prescriber r on r.presc_id = p.presc_id and r.load_date = $date
join cleansed.state s on s.state_code = p.presc_state_code and s.load_date = $date
where p.load_date = $date
