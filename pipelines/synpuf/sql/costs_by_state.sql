-- What a beneficiary costs in a year, by state. CMS writes states in the codes of Social Security; 54 is everywhere else.
with states (code, state) as (
    values ('01', 'AL'), ('02', 'AK'), ('03', 'AZ'), ('04', 'AR'), ('05', 'CA'), ('06', 'CO'), ('07', 'CT'), ('08', 'DE'),
           ('09', 'DC'), ('10', 'FL'), ('11', 'GA'), ('12', 'HI'), ('13', 'ID'), ('14', 'IL'), ('15', 'IN'), ('16', 'IA'),
           ('17', 'KS'), ('18', 'KY'), ('19', 'LA'), ('20', 'ME'), ('21', 'MD'), ('22', 'MA'), ('23', 'MI'), ('24', 'MN'),
           ('25', 'MS'), ('26', 'MO'), ('27', 'MT'), ('28', 'NE'), ('29', 'NV'), ('30', 'NH'), ('31', 'NJ'), ('32', 'NM'),
           ('33', 'NY'), ('34', 'NC'), ('35', 'ND'), ('36', 'OH'), ('37', 'OK'), ('38', 'OR'), ('39', 'PA'), ('40', 'PR'),
           ('41', 'RI'), ('42', 'SC'), ('43', 'SD'), ('44', 'TN'), ('45', 'TX'), ('46', 'UT'), ('47', 'VT'), ('48', 'VI'),
           ('49', 'VA'), ('50', 'WA'), ('51', 'WV'), ('52', 'WI'), ('53', 'WY'), ('54', 'others')
)
select s.state,
       cast(sum(c.total_cost) / count(*) as decimal(12,2)) as cost_of_a_beneficiary,
       count(distinct c.desynpuf_id) as beneficiaries
from curated.beneficiary_costs c
join cleansed.beneficiary b on b.desynpuf_id = c.desynpuf_id and b.year = c.year
join states s on s.code = b.sp_state_code
group by s.state
order by s.state
