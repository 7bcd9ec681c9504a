//! Capabilities and securebits (capabilities(7)), each change verified.

use super::{AttributeCall, CapabilityMasks, verify};
use crate::LinuxSys;
use forkexec_core::{CapabilitySets, Errno};

/// The kernel numbers its capabilities without a gap. Each release since 2.6.25 has at least these (`CAP_LAST_CAP`). A kernel
/// that denies one of them does not answer itself.
const OLDEST: u32 = 33;

/// Removes all capabilities but `left` from the bounding set.
///
/// It asks about the others only. If the kernel lacks one, it must lack each higher one, so the call asks about those, too.
pub(super) fn reduce_bounding_set<S: LinuxSys>(sys: &S, left: u64) -> Result<(), Errno> {
    let mut exists = true;
    for capability in 0..u64::BITS {
        if exists && contains(left, capability) {
            continue;
        }
        let is_in = match sys.attribute(AttributeCall::IsInBoundingSet(capability)) {
            Err(Errno::INVAL) if capability > OLDEST => {
                exists = false;
                continue;
            }
            is_in => is_in? == 1,
        };
        verify(exists)?;
        if is_in && !contains(left, capability) {
            sys.attribute(AttributeCall::DropFromBoundingSet(capability))?;
            verify(sys.attribute(AttributeCall::IsInBoundingSet(capability))? == 0)?;
        }
    }
    // A filter that answers 0 to everything also does for a capability that no kernel has.
    verify(sys.attribute(AttributeCall::IsInBoundingSet(NO_CAPABILITY)) == Err(Errno::INVAL))
}

/// Sets the securebits.
pub(super) fn set_securebits<S: LinuxSys>(sys: &S, bits: u32) -> Result<(), Errno> {
    sys.attribute(AttributeCall::SetSecureBits(bits))?;
    verify(sys.attribute(AttributeCall::SecureBits)? == bits.into())
}

/// Sets the inheritable and the ambient set, and reduces the others if the plan says so.
///
/// An ambient capability is permitted and inheritable, so these sets come first (capabilities(7)).
pub(super) fn set<S: LinuxSys>(sys: &S, sets: CapabilitySets) -> Result<(), Errno> {
    let CapabilitySets { inheritable, ambient, nothing_else } = sets;
    let CapabilityMasks { effective, permitted, .. } = sys.capget()?;
    let masks = if nothing_else {
        CapabilityMasks { effective: permitted & ambient, permitted: permitted & inheritable, inheritable }
    } else {
        CapabilityMasks { effective, permitted, inheritable }
    };
    sys.attribute(AttributeCall::ClearAmbient)?;
    sys.attribute(AttributeCall::SetCapabilities(masks))?;
    verify(sys.capget()? == masks)?;
    for capability in capabilities(ambient) {
        sys.attribute(AttributeCall::RaiseAmbient(capability))?;
    }
    for capability in capabilities(masks.permitted & inheritable) {
        let is_ambient = sys.attribute(AttributeCall::IsAmbient(capability))? == 1;
        verify(is_ambient == contains(ambient, capability))?;
    }
    verify(sys.attribute(AttributeCall::IsAmbient(NO_CAPABILITY)) == Err(Errno::INVAL))
}

/// A number that no kernel gives to a capability.
pub(crate) const NO_CAPABILITY: u32 = 1 << 16;

/// The numbers of the capabilities of a mask.
pub(crate) fn capabilities(mask: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |&capability| contains(mask, capability))
}

fn contains(mask: u64, capability: u32) -> bool {
    mask >> capability & 1 == 1
}
