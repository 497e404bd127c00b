/// What is asked before a connection is carried: may this client reach that connector now?
package struct OpenQuestion: Sendable, Hashable {
    package var connector: String
    /// Name of the listener that the client came to.
    package var listener: String
    /// `10.0.0.9`, without port; `nil` when unknown.
    package var clientAddress: String?
    package var clientPort: Int?
    /// Who the client is, where something said so (a certificate's name, a listener's identity); else its address.
    package var subject: String

    package init(
        connector: String, listener: String, clientAddress: String?, clientPort: Int?, subject: String? = nil
    ) {
        self.connector = connector
        self.listener = listener
        self.clientAddress = clientAddress
        self.clientPort = clientPort
        self.subject = subject ?? clientAddress ?? "unknown"
    }
}

/// The answer, and what it obliges to.
package struct OpenDecision: Sendable, Hashable {
    package enum Result: String, Sendable, Hashable, CaseIterable {
        case allow, deny
        /// Nobody could decide. What follows is set by `on_error`; it is counted as what it is.
        case error
    }

    package enum Source: String, Sendable, Hashable, CaseIterable {
        /// The decision point said so, now or a moment ago, or the setting for when it cannot be asked.
        case pdp, cache, `default`
    }

    package var result: Result
    package var source: Source
    /// What follows: an `error` may be let through where `on_error` says so.
    package var isAllowed: Bool
    /// Why, for the audit and for people.
    package var reason: String?
    package var id: String?
    package var durationMost: Duration?
    package var bytesMost: Int64?
    /// In both directions together, in bytes a second.
    package var rate: Int64?

    package init(_ result: Result, _ source: Source, isAllowed: Bool, reason: String? = nil) {
        self.result = result
        self.source = source
        self.isAllowed = isAllowed
        self.reason = reason
    }
}

/// Who decides on opens. Answers within its own time limit, always.
package protocol OpenPolicy: Sendable {
    func decide(_ question: OpenQuestion) async -> OpenDecision
}

/// Where no policy is set: everything that the listener's rules let in.
package struct OpenToAll: OpenPolicy {
    package init() {}
    package func decide(_ question: OpenQuestion) async -> OpenDecision {
        OpenDecision(.allow, .default, isAllowed: true)
    }
}
