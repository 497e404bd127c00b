import Glibc

/// The file descriptors of this process.
package enum Descriptors {
    /// What listeners leave free, so that the rest of the process (the API, queues, connections to receivers) goes on
    /// when senders have taken all others: an eighth of the limit, from 16 to 128.
    package static var reserve: Int { min(max(limit / 8, 16), 128) }

    /// True when only the reserve is left.
    package static var areScarce: Bool {
        // The lowest free number is given out first: the number that comes next tells how many are in use.
        let next = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard next >= 0 else { return true }
        close(next)
        return Int(next) >= limit - reserve
    }

    /// `ulimit -n`, read anew each time: an operator may raise it while Weir runs.
    private static var limit: Int {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1_024 }
        return Int(clamping: limits.rlim_cur)
    }
}
