-- DE1_0_2008_Beneficiary_Summary_File_Sample_1.zip is of 2008.
select * exclude (file),
       cast(substr(file, strpos(lower(file), '_beneficiary') - 4, 4) as bigint) as year
from input
