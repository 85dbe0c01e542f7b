# What is to be done. Only the head process plans, once; jobs on other machines find their part on disk.

from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

import gather as gather_module
import plan as plan_module

OUT = Path(config["output"])
LAYOUT = plan_module.Layout(OUT)


@cache
def planned():
    """The plan, and the lock that keeps a second head away as long as this process lives."""
    try:
        return plan_module.begin(config, dry=workflow.dryrun)
    except plan_module.PlanError as e:
        raise WorkflowError(str(e)) from None


def records(_wildcards):
    """What has to be there in the end."""
    plan, _lock = planned()
    return [str(LAYOUT.record(job.id)) for job in plan.jobs]
