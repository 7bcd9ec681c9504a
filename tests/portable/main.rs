//! The library on any kernel: the portable part of the conformance suite.
//!
//! It is one executable that can be copied to another machine and run there. It starts itself again as the child that
//! reports what it inherited, so it needs no other program, no `/proc` and no test harness. Its arguments are names of
//! cases, or parts of them.
//!
//! - `child`: the child's side, and its report
//! - `closing`: each strategy closes all that the child is not to inherit
//! - `failing`: errors of children that did not start
//! - `harness`: runs the cases one by one, and checks that each leaves its process unchanged
//! - `placing`: descriptors under chosen numbers
//! - `state`: directory, session, signals, limits, streams, as the child sees them
//! - `surroundings`: the host's own limits and closed streams, made the same for all cases
//! - `surveying`: calls that this kernel, or a filter in front of it, refuses
//! - `talking`: communication and pipelines

#![no_main]

mod child;
mod closing;
mod failing;
mod harness;
mod placing;
mod state;
mod surroundings;
mod surveying;
mod talking;

use harness::{Case, cases};
use std::ffi::{CStr, c_char, c_int};

const CASES: &[&[Case]] = &[
    cases![closing:
        a_child_gets_its_streams_and_nothing_else,
        each_link_closes_what_is_not_handed_over,
        adjacent_and_scattered_descriptors_stay,
        a_thousand_descriptors_are_closed,
        a_high_descriptor_is_closed,
        a_descriptor_above_a_lowered_limit_is_closed,
        all_are_inherited_if_that_is_asked_for,
        threads_that_start_children_at_once_hand_nothing_over,
        the_floor_closes_everything_by_each_of_its_links,
    ],
    cases![placing:
        a_descriptor_comes_under_the_number_that_was_chosen,
        two_descriptors_swap_their_numbers,
        three_descriptors_go_round,
        one_source_has_many_targets,
        a_target_may_be_a_stream,
        a_closed_stream_stays_closed,
        the_parents_flags_stay,
    ],
    cases![failing:
        a_missing_program_is_told,
        a_missing_directory_is_told,
        a_missing_interpreter_is_told,
        a_directory_is_no_program,
        no_target_hits_the_report,
        a_failing_closure_is_told,
        nothing_starts_of_a_command_that_means_nothing,
        an_operation_that_the_system_lacks_is_named,
    ],
    cases![state:
        arguments_and_environment_arrive,
        the_directory_is_the_one_that_was_set,
        the_directory_may_be_a_descriptor,
        the_umask_is_set,
        a_session_is_started,
        a_process_group_is_joined,
        no_signal_is_blocked,
        a_mask_is_set,
        a_signal_is_ignored,
        a_limit_is_lowered,
        the_nice_value_is_set,
        output_is_captured,
        input_and_output_cross,
        codes_and_signals_come_back,
        a_command_starts_more_than_once,
        the_superuser_gives_up_all_ids,
        groups_and_group_id_are_set_together,
        groups_alone_leave_the_group_id,
    ],
    cases![talking:
        a_conversation_goes_on_after_a_limit,
        a_conversation_goes_on_when_its_time_was_up,
        who_holds_no_pipe_is_not_waited_for,
        a_pipeline_passes_on_what_it_gets,
        a_pipeline_that_cannot_be_started_leaves_nothing,
    ],
    cases![surveying:
        every_means_is_tried_and_none_lies,
        the_launcher_is_one_that_the_backend_names,
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
