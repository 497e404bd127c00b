import WeirDirectory
import WeirIdentity
import WeirNode
import WeirWorld

/// The series of identity: what waits, what the last syncs did, how fresh the silos are, what directories answered.
struct IdentityMetrics: Sendable {
    let rules: [RuleView]
    let silos: [SiloView]
    /// The last committed sync; `nil` before the first.
    let last: SyncView?
    let badLinks: UInt64
    let notices: [NoticeBook.Entry]
    let directories: [(silo: String, figures: DirectoryCounters.Value)]
    let givesNowConnectNames: Bool

    func add(to out: inout Exposition) {
        addRules(&out)
        addSilos(&out)
        addDirectories(&out)
        out.family("weir_approval_bad_links_total", .counter, "Links that were not made here, or were changed.") {
            $0.add(badLinks)
        }
        out.family(
            "weir_approval_notices_failing", .gauge, "Recipients who could not be told what waits; it is tried again."
        ) { $0.add(notices.count(where: \.isFailing)) }
        if givesNowConnectNames { addNowConnect(&out) }
    }

    private func addRules(_ out: inout Exposition) {
        out.family("weir_approvals_pending", .gauge, "Actions that wait for a decision.") { samples in
            for view in rules { samples.add(view.suspended, ["rule": view.rule.name]) }
        }
        out.family("weir_approvals_approved", .gauge, "Approved actions that wait for the next committed sync.") {
            samples in
            for view in rules { samples.add(view.approved, ["rule": view.rule.name]) }
        }
        out.family("weir_rule_limit_actions", .gauge, "The largest number that passes by itself now.") { samples in
            for view in rules { if let limit = view.limit { samples.add(limit, ["rule": view.rule.name]) } }
        }
        out.family("weir_rule_in_error", .gauge, "1 where a rule's expressions cannot be read or fail too often.") {
            samples in
            for view in rules { samples.add(view.error == nil ? 0 : 1, ["rule": view.rule.name]) }
        }
        out.family(
            "weir_sync_triggers", .gauge, "Triggers of the last committed sync, by what became of them."
        ) { samples in
            for count in last?.rules ?? [] {
                for outcome in TriggerOutcome.allCases {
                    samples.add(
                        count.outcomes[outcome, default: 0], ["rule": count.rule, "outcome": outcome.rawValue])
                }
            }
        }
        out.family("weir_sync_failed", .gauge, "1 where the last committed sync did not end well.") { samples in
            if let last { samples.add(last.failure == nil ? 0 : 1) }
        }
        out.family(
            "weir_sync_ended_timestamp_seconds", .gauge, "When the last committed sync ended, in seconds since 1970."
        ) { samples in if let ended = last?.ended { samples.add(ended.secondsSince1970) } }
    }

    private func addSilos(_ out: inout Exposition) {
        out.family("weir_silo_objects", .gauge, "Live objects that are kept of a silo.") { samples in
            for silo in silos {
                for type in silo.types { samples.add(type.live, ["silo": silo.name, "type": type.type]) }
            }
        }
        out.family(
            "weir_silo_scan_status", .gauge, "Status of the last scan: 1 for the one it is in, 0 for all others."
        ) {
            samples in
            for silo in silos {
                let status = silo.scans.first?.status
                for one in [ScanView.Status.complete, .partial, .failed, .quarantined, .accepted] {
                    samples.add(status == one ? 1 : 0, ["silo": silo.name, "status": one.rawValue])
                }
            }
        }
        out.family(
            "weir_silo_scan_complete_timestamp_seconds", .gauge,
            "When the silo was last read to its end, in seconds since 1970."
        ) { samples in
            for silo in silos {
                let whole = silo.scans.first { $0.status == .complete || $0.status == .accepted }
                if let ended = whole?.ended { samples.add(ended.secondsSince1970, ["silo": silo.name]) }
            }
        }
    }

    private func addDirectories(_ out: inout Exposition) {
        out.family("weir_directory_operations_total", .counter, "Requests to directories, by their answer.") {
            samples in
            for (silo, figures) in directories {
                for (operation, count) in figures.operations.sorted(by: {
                    ($0.key.word, $0.key.code) < ($1.key.word, $1.key.code)
                }) {
                    samples.add(count, ["silo": silo, "op": operation.word, "code": operation.code])
                }
            }
        }
        out.family("weir_directory_operation_seconds", .histogram, "Until a directory answered.") { samples in
            for (silo, figures) in directories { samples.histogram(figures.seconds, ["silo": silo]) }
        }
        out.family("weir_directory_retries_total", .counter, "Requests that were sent again.") { samples in
            for (silo, figures) in directories { samples.add(figures.retries, ["silo": silo]) }
        }
        out.family(
            "weir_directory_benign_codes_total", .counter,
            "Codes that may mean that it is so already, by whether it was."
        ) { samples in
            for (silo, figures) in directories {
                samples.add(figures.benignVerified, ["silo": silo, "verified": "true"])
                samples.add(figures.benignRefuted, ["silo": silo, "verified": "false"])
            }
        }
    }

    /// NowConnect's names, without a label for the silo, as it has them.
    private func addNowConnect(_ out: inout Exposition) {
        guard !directories.isEmpty else { return }
        out.family("nowconnect_ldap_membership_batch_total", .counter, "Changes of groups that were sent.") { samples in
            for action in DirectoryCounters.Action.allCases {
                samples.add(
                    directories.reduce(0) { $0 + $1.figures.batches[action, default: 0] }, ["action": action.rawValue])
            }
        }
        out.family("nowconnect_ldap_membership_values_total", .counter, "Members that came and went.") { samples in
            for action in DirectoryCounters.Action.allCases {
                samples.add(
                    directories.reduce(0) { $0 + $1.figures.values[action, default: 0] }, ["action": action.rawValue])
            }
        }
        out.family("nowconnect_ldap_membership_batch_seconds", .histogram, "How long changes of groups took.") {
            samples in
            // One directory is the rule there; of several the first is shown, because histograms do not add up by name.
            if let first = directories.first { samples.histogram(first.figures.batchSeconds, [:]) }
        }
        out.family("nowconnect_ldap_membership_errors_total", .counter, "Changes of groups that failed, by code.") {
            samples in
            var sums: [String: UInt64] = [:]
            for (_, figures) in directories {
                for (code, count) in figures.batchErrors { sums[code, default: 0] += count }
            }
            for (code, count) in sums.sorted(by: { $0.key < $1.key }) { samples.add(count, ["code": code]) }
        }
    }
}

extension IdentityMetrics {
    init(_ identity: any IdentityAccess) async {
        rules = await identity.service.rules()
        silos = await identity.service.silos()
        let syncs = (try? await identity.service.syncs(PageRequest(count: 20)))?.items ?? []
        last = syncs.first { $0.request.mode == .commit && $0.ended != nil }
        badLinks = identity.desk.badTokens
        notices = identity.notices.entries
        directories = identity.directories
        givesNowConnectNames = identity.givesNowConnectNames
    }
}
