//! The library on any kernel: the portable part of the conformance suite.
//!
//! It is one executable that can be copied to another machine and run there. It starts itself again as the child that
//! reports what it inherited, so it needs no other program, no `/proc` and no test harness. Its arguments are names of
//! cases, or parts of them. With `--by-fork` its children are started by fork(2) alone.
//!
//! - `child`: the child's side, and its report
//! - `closing`: each strategy closes all that the child is not to inherit
//! - `ending`: the end of a child
//! - `failing`: errors of children that did not start
//! - `harness`: runs the cases one by one, and checks that each leaves its process unchanged
//! - `launching`: rules of a launcher beyond the start of a child
//! - `placing`: descriptors under chosen numbers
//! - `state`: directory, session, signals, limits, streams, as the child sees them
//! - `surroundings`: the host's own limits and closed streams, made the same for all cases
//! - `surveying`: calls that this kernel, or a filter in front of it, refuses
//! - `talking`: communication and pipelines

#![no_main]

mod child;
mod closing;
mod ending;
mod failing;
mod harness;
mod launching;
mod placing;
mod state;
mod surroundings;
mod surveying;
mod talking;

use harness::{Case, cases};
use std::ffi::{CStr, c_char, c_int};

const CASES: &[&[Case]] = &[
    cases![closing:
        child_gets_only_its_streams,
        each_strategy_closes_all_other_descriptors,
        adjacent_and_scattered_descriptors_stay,
        thousand_descriptors_are_closed,
        high_descriptor_is_closed,
        descriptor_above_a_lowered_limit_is_closed,
        inherit_all_passes_on_all_descriptors,
        children_of_concurrent_threads_share_no_descriptors,
        floor_closes_all_by_each_strategy,
    ],
    cases![placing:
        descriptor_gets_the_chosen_number,
        two_descriptors_swap_their_numbers,
        three_descriptors_rotate,
        one_source_has_many_targets,
        target_can_be_a_stream,
        closed_stream_stays_closed,
        parents_flags_stay,
    ],
    cases![failing:
        missing_program_is_reported,
        missing_directory_is_reported,
        missing_interpreter_is_reported,
        directory_is_no_program,
        no_target_hits_the_report,
        failing_closure_is_reported,
        invalid_command_starts_nothing,
        missing_operation_is_named,
        missing_attribute_is_named,
    ],
    cases![launching:
        later_children_report_as_the_first_does,
        signals_of_the_starting_thread_stay,
        handler_of_the_parent_runs_in_the_parent_alone,
        limit_of_the_stack_leaves_the_parent_alone,
        child_that_dies_in_exec_is_no_success,
        start_is_timed_with_much_memory,
    ],
    cases![ending:
        each_of_many_short_children_is_seen_to_end,
        running_child_is_not_taken_for_ended,
        child_that_was_waited_for_gets_no_signal,
        autoreaped_child_has_its_status_everywhere,
    ],
    cases![state:
        arguments_and_environment_arrive,
        child_starts_in_the_set_directory,
        directory_can_be_a_descriptor,
        umask_is_set,
        session_is_started,
        process_group_is_joined,
        no_signal_is_blocked,
        mask_is_set,
        signal_is_ignored,
        limit_is_lowered,
        nice_value_is_set,
        output_is_captured,
        input_and_output_cross,
        codes_and_signals_come_back,
        command_starts_more_than_once,
        superuser_gives_up_all_ids,
        groups_and_group_id_are_set_together,
        groups_alone_leave_the_group_id,
    ],
    cases![talking:
        communication_resumes_after_a_limit,
        communication_resumes_after_a_timeout,
        drain_limit_costs_no_time_if_the_pipe_is_closed,
        pipeline_passes_on_its_input,
        failed_pipeline_leaves_nothing,
    ],
    cases![surveying:
        every_mechanism_is_tried_and_none_lies,
        launcher_is_one_of_the_backends,
        each_stage_has_a_time,
    ],
];

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, argv: *const *const c_char) -> c_int {
    let arguments = arguments(argv);
    match arguments.split_first() {
        Some((first, rest)) if first == child::FLAG => child::run(rest),
        _ => harness::run(CASES, &arguments),
    }
}

/// The arguments without the zeroth. Rust's runtime, which would know them, did not start this program: it opens
/// `/dev/null` where 0, 1 or 2 is closed, and ignores `SIGPIPE`.
fn arguments(argv: *const *const c_char) -> Vec<String> {
    let places = (1..).map(|index| argv.wrapping_add(index));
    // SAFETY: argv ends with a null pointer, which ends the walk.
    let pointers = places.map(|place| unsafe { *place }).take_while(|pointer| !pointer.is_null());
    // SAFETY: up to there each points to a string that lasts as long as the process.
    pointers.map(|pointer| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()).collect()
}
