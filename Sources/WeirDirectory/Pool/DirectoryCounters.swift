import Synchronization
package import WeirGates

/// What one directory's requests came to. Counters only grow; whoever exports them reads `value`.
package final class DirectoryCounters: Sendable {
    package struct Operation: Hashable, Sendable {
        /// `bind`, `search`, `add`, `modify`, `delete`, `rename`, `compare`.
        package var word: String
        /// `0`, `20`, `connection_lost`, `timeout`.
        package var code: String

        package init(word: String, code: String) {
            self.word = word
            self.code = code
        }
    }

    package struct Value: Sendable {
        /// `weir_directory_operations_total{op,code}`
        package var operations: [Operation: UInt64] = [:]
        /// `weir_directory_operation_seconds`
        package var seconds = LatencyBuckets()
        /// `weir_directory_retries_total`
        package var retries: UInt64 = 0
        /// `weir_directory_benign_codes_total{verified="true"}`: a code that may mean "already so", and it was so.
        package var benignVerified: UInt64 = 0
        /// `weir_directory_benign_codes_total{verified="false"}`: the same codes, and it was not so.
        package var benignRefuted: UInt64 = 0
        /// `nowconnect_ldap_membership_batch_total{action}`: modifies sent to groups.
        package var batches: [Action: UInt64] = [:]
        /// `nowconnect_ldap_membership_values_total{action}`: members that came and went.
        package var values: [Action: UInt64] = [:]
        /// `nowconnect_ldap_membership_batch_seconds`
        package var batchSeconds = LatencyBuckets()
        /// `nowconnect_ldap_membership_errors_total{code}`: of batches, also of those that were settled afterwards.
        package var batchErrors: [String: UInt64] = [:]
    }

    package enum Action: String, Sendable, CaseIterable {
        case add, delete
    }

    private let state = Mutex(Value())

    package init() {}

    package var value: Value { state.withLock { $0 } }

    func answered(_ word: String, _ code: ResultCode, _ seconds: Double) {
        state.withLock { value in
            value.operations[Operation(word: word, code: "\(code.number)"), default: 0] += 1
            value.seconds.record(seconds)
        }
    }

    func failed(_ word: String, _ code: String) {
        state.withLock { $0.operations[Operation(word: word, code: code), default: 0] += 1 }
    }

    func retried() { state.withLock { $0.retries += 1 } }

    func benign(isVerified: Bool) {
        state.withLock { value in
            if isVerified { value.benignVerified += 1 } else { value.benignRefuted += 1 }
        }
    }

    /// One modify of a group.
    /// - Parameter error: nil when it was carried out.
    func batch(adds: Int, deletes: Int, seconds: Double, error: String?) {
        state.withLock { value in
            if adds > 0 { value.batches[.add, default: 0] += 1 }
            if deletes > 0 { value.batches[.delete, default: 0] += 1 }
            value.batchSeconds.record(seconds)
            if let error {
                value.batchErrors[error, default: 0] += 1
            } else {
                value.values[.add, default: 0] += UInt64(adds)
                value.values[.delete, default: 0] += UInt64(deletes)
            }
        }
    }
}
