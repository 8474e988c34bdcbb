"""A valid config and a valid dose table, and texts in them that a test changes."""

CONFIG = """
molecule = "mosunetuzumab"
population = "nhl"
patients = 20
seed = 1
days = 28
visits = ["14 day", "28 day"]
response = "lugano"

[method]
solver = "Tsit5"
rtol = 1e-5

[premedication.steroid]
drug = "dexamethasone"
amount = "20 mg"
route = "iv"
before = "1 hour"
until = "7 day"

[arms.step_up]
premedication = ["steroid"]
doses = [
  { period = "SUD1", time = "0 day", amount = "1 mg", route = "iv", duration = "4 hour" },
  { period = "SUD2", time = "7 day", amount = "2 mg", route = "iv", duration = "4 hour" },
  { period = "FD1", time = "14 day", amount = "60 mg", route = "iv", duration = "4 hour" },
]

[arms.flat]
doses = [{ period = "FD1", time = "0 day", amount = "60 mg", route = "sc" }]

[arms.copy]
same_doses_as = "flat"
"""

TABLE = """ID,TIME,AMT,RATE,II,ADDL,EVID,CMT,ARM,PERIOD
1,-1,20,0,0,0,1,dexamethasone,a,
1,0,1,6,0,0,1,central,a,SUD1
1,1,.,.,.,.,0,.,a,
1,7,60,360,7,1,1,central,a,FD
2,0,5,0,0,0,1,depot,a,SUD1
"""

TABLE_CONFIG = """
molecule = "mosunetuzumab"
population = "nhl"
days = 28
response = "lugano"
dose_table = { file = "doses.csv" }
"""

LAST_DOSE = '"60 mg", route = "iv", duration = "4 hour" }'
FD1_TIME = 'period = "FD1", time = "14 day"'
SUD2 = 'period = "SUD2", time = "7 day"'
FLAT_DOSE = 'amount = "60 mg", route = "sc"'
