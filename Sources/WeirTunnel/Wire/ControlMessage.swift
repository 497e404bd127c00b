/// What hub and agent say to each other on the first stream that the agent opens: JSON after four bytes of length
/// (big-endian, at most 64 KiB): `{"type": "hello", "agent": "site-01", …}`. Fields that a side does not know are
/// ignored, and so are messages of a type that it does not know: versions can differ.
package enum ControlMessage: Sendable, Hashable, Codable {
    case hello(Hello)
    case welcome(Welcome)
    /// The sender goes away soon: connect anew before `seconds` have passed.
    case drain(Drain)
    /// An agent that has a one-time token asks for its first certificate; nothing else follows on this link.
    case enrol(Enrol)
    /// A newer bearer token of an agent that has shown one before.
    case bearer(Bearer)
    /// An agent asks for a certificate for the key in a PKCS #10 request (PEM).
    case certify(Certify)
    case certificate(Certificate)
    case refused(Refused)
    case unknown(String)

    package struct Hello: Sendable, Hashable, Codable {
        package var agent: String
        package var version: String
        /// Names of the connectors that it serves.
        package var connectors: [String]
        /// Which of the agent's links this is, from 0, and of how many.
        package var link = 0
        package var links = 1
        package var capabilities: [String] = []
        /// Another one for each process of the agent: links of an older process are let go when a newer one comes.
        package var instance: String?
        /// A bearer token (JWT), where neither TLS nor the upgrade has said who this is.
        package var bearer: String?

        package init(agent: String, version: String, connectors: [String]) {
            self.agent = agent
            self.version = version
            self.connectors = connectors
        }
    }

    package struct Welcome: Sendable, Hashable, Codable {
        package var hub: String
        package var version: String
        /// Of `Hello.connectors`, those that the hub lets it serve.
        package var connectors: [String]

        package init(hub: String, version: String, connectors: [String]) {
            self.hub = hub
            self.version = version
            self.connectors = connectors
        }
    }

    package struct Drain: Sendable, Hashable, Codable {
        package var seconds: Int
        package var reason: String

        package init(seconds: Int, reason: String) {
            self.seconds = seconds
            self.reason = reason
        }
    }

    package struct Enrol: Sendable, Hashable, Codable {
        package var agent: String
        package var secret: String
        /// PKCS #10, PEM.
        package var request: String

        package init(agent: String, secret: String, request: String) {
            self.agent = agent
            self.secret = secret
            self.request = request
        }
    }

    package struct Bearer: Sendable, Hashable, Codable {
        package var token: String
        package init(token: String) { self.token = token }
    }

    package struct Certify: Sendable, Hashable, Codable {
        package var request: String
        package init(request: String) { self.request = request }
    }

    /// The chain for a request, leaf first, and the authorities to trust (PEM).
    package struct Certificate: Sendable, Hashable, Codable {
        package var chain: String
        package var authorities: String

        package init(chain: String, authorities: String) {
            self.chain = chain
            self.authorities = authorities
        }
    }

    /// What was asked cannot be done; the message is for people.
    package struct Refused: Sendable, Hashable, Codable {
        package var code: String
        package var message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    package static let lengthMost = 64 << 10

    private enum Key: String, CodingKey { case type }

    package init(from decoder: any Decoder) throws {
        let type = try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .type)
        self =
            switch type {
            case "hello": .hello(try Hello(from: decoder))
            case "welcome": .welcome(try Welcome(from: decoder))
            case "drain": .drain(try Drain(from: decoder))
            case "enrol": .enrol(try Enrol(from: decoder))
            case "bearer": .bearer(try Bearer(from: decoder))
            case "certify": .certify(try Certify(from: decoder))
            case "certificate": .certificate(try Certificate(from: decoder))
            case "refused": .refused(try Refused(from: decoder))
            default: .unknown(type)
            }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .hello(let message): try write("hello", message)
        case .welcome(let message): try write("welcome", message)
        case .drain(let message): try write("drain", message)
        case .enrol(let message): try write("enrol", message)
        case .bearer(let message): try write("bearer", message)
        case .certify(let message): try write("certify", message)
        case .certificate(let message): try write("certificate", message)
        case .refused(let message): try write("refused", message)
        case .unknown(let type): try container.encode(type, forKey: .type)
        }

        func write(_ type: String, _ message: some Encodable) throws {
            try container.encode(type, forKey: .type)
            try message.encode(to: encoder)
        }
    }
}

/// What the hub writes first on a stream that it opens: two bytes of length (big-endian) and JSON.
package struct OpenRequest: Sendable, Hashable, Codable {
    package var connector: String
    /// The client as the hub sees it: `10.0.0.9:50123`; `nil` when unknown.
    package var client: String?
    /// The address that the client spoke to.
    package var listener: String?
    /// What the decision point called its decision.
    package var decision: String?
    /// From another hub: whom it takes to have the agent.
    package var forward: Forward?

    package init(connector: String, client: String? = nil, listener: String? = nil, decision: String? = nil) {
        self.connector = connector
        self.client = client
        self.listener = listener
        self.decision = decision
    }

    package static let lengthMost = 4_096
}

/// The one byte with which an agent answers an `OpenRequest`, before any byte of the target.
package enum DialStatus: UInt8, Sendable, Hashable, CaseIterable {
    case connected = 0
    case refused = 1
    case unreachable = 2
    case timedOut = 3
    case notAllowed = 4
    case busy = 5
    /// A hub was asked for an agent that it does not have, or not under that epoch.
    case stale = 6

    package var reason: StreamReason? {
        switch self {
        case .connected: nil
        case .refused: .refused
        case .unreachable: .unreachable
        case .timedOut: .connectTimeout
        case .notAllowed: .notAllowed
        case .busy: .busy
        case .stale: .staleOwner
        }
    }
}
