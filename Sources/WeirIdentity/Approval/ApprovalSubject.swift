/// What a link is about: one action, or all of a rule that a run held.
package enum ApprovalSubject: Sendable, Hashable {
    case action(String)
    case hold(run: String, rule: String)

    /// Ids and names that stand in links: nothing that would need escaping in a URL's query.
    package static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 128
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                    || "-_.".utf8.contains(byte)
            }
    }

    package var isPlain: Bool {
        switch self {
        case .action(let id): Self.isPlain(id)
        case .hold(let run, let rule): Self.isPlain(run) && Self.isPlain(rule)
        }
    }

    /// As it stands in a link: `action=…`, `run=…&rule=…`.
    package var query: String {
        switch self {
        case .action(let id): "action=\(id)"
        case .hold(let run, let rule): "run=\(run)&rule=\(rule)"
        }
    }
}

/// What a link leads to.
package enum ApprovalVerb: String, Sendable, Hashable, Codable, CaseIterable {
    case approve, reject
}

/// Where decisions are made. The paths are those that HyperSync's mails and reports have.
package enum ApprovalLink {
    package static let folder = "/hypersync"

    /// `/hypersync/approve?action=…`.
    package static func path(_ verb: ApprovalVerb, _ subject: ApprovalSubject) -> String {
        "\(folder)/\(verb.rawValue)?\(subject.query)"
    }

    /// The page that asks which of the two: `/hypersync/run=…&rule=…`, as it was printed.
    package static func path(asking run: String, rule: String) -> String {
        "\(folder)/\(ApprovalSubject.hold(run: run, rule: rule).query)"
    }
}
