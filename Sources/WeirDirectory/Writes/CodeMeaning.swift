/// What an answer to a write may mean. The code alone never says that something is already so: 16, 20, 32, 53 and 68
/// each have meanings that must not be swallowed, on the same operation and on the same server.
///
/// | code | already so, perhaps | and what else it says |
/// | --- | --- | --- |
/// | 20 | the value is there (OpenLDAP) | AD: a single-valued attribute holds another value |
/// | 68 | the member is there (AD); the entry is there | another entry has the name or the sAMAccountName |
/// | 16 | the value is not there (OpenLDAP) | AD: the schema has no such attribute; the group is the primary one |
/// | 53 | the member is not there (AD) | AD: a back-link; OpenLDAP: not our suffix; policies of all kinds |
/// | 32 | the entry is not there; it was renamed before | the base is wrong; AD: the member does not exist |
///
/// Source: measured on OpenLDAP 2.5 and Samba 4.17; tested row by row in `CodeTableTests`.
package enum CodeMeaning: Sendable, Equatable {
    /// Carried out.
    case done
    /// Look: if what was wanted is so, nothing was to do; if not, the code is a refusal.
    case perhapsSo
    /// The entry is no longer what was read of it (an assertion failed): read again and think again.
    case outdated
    /// Not now; the same again after a while.
    case passing
    /// No, and the same again is answered the same.
    case refused

    package enum Write: Sendable, CaseIterable {
        case addValues, deleteValues, replaceValues, addEntry, deleteEntry, renameEntry
    }

    package init(_ code: ResultCode, to write: Write, on kind: ServerKind) {
        if code == .success {
            self = .done
        } else if code == .assertionFailed {
            self = .outdated
        } else if code.isPassing {
            self = .passing
        } else {
            self = Self.benign(write, kind).contains(code) ? .perhapsSo : .refused
        }
    }

    private static func benign(_ write: Write, _ kind: ServerKind) -> Set<ResultCode> {
        let isAD = kind != .openLDAP
        return switch write {
        case .addValues:
            isAD ? [.attributeOrValueExists, .entryAlreadyExists, .unwillingToPerform] : [.attributeOrValueExists]
        case .deleteValues: isAD ? [.noSuchAttribute, .unwillingToPerform] : [.noSuchAttribute]
        case .replaceValues: []
        case .addEntry: [.entryAlreadyExists]
        case .deleteEntry: [.noSuchObject]
        case .renameEntry: [.noSuchObject, .entryAlreadyExists]
        }
    }
}

/// Why a write was not carried out.
package enum DirectoryWriteProblem: Error, Sendable, Equatable {
    /// No answer. `isUncertain`: it may have been carried out all the same.
    case failure(DirectoryFailure, isUncertain: Bool)
    /// The server's no.
    case refused(ResultCode, text: String)
    /// Ours: `exists_otherwise`, `last_member`, `another_entry`, `not_verified`, …
    case conflict(code: String, text: String)

    /// For machines.
    package var code: String {
        switch self {
        case .failure(let failure, _): failure.code
        case .refused(let code, _): "ldap_\(code.number)"
        case .conflict(let code, _): code
        }
    }

    package var text: String {
        switch self {
        case .failure(let failure, _): "\(failure)"
        case .refused(let code, let text): text.isEmpty ? "\(code)" : "\(code): \(text)"
        case .conflict(_, let text): text
        }
    }
}
