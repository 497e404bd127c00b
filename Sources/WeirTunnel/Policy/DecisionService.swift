internal import WeirExpressions

/// A decision point as AuthZEN's HTTP binding has it: bytes in, status and bytes out. Levels Basic and Batch of the
/// certification scenario, and the document of its discovery. Source: OpenID AuthZEN Authorization API 1.0.
package struct DecisionService: Sendable {
    package static let evaluationPath = "/access/v1/evaluation"
    package static let evaluationsPath = "/access/v1/evaluations"
    package static let discoveryPath = "/.well-known/authzen-configuration"
    /// Questions in one request.
    package static let questionsMost = 1_000

    package struct Answer: Sendable, Hashable {
        package var status: Int
        /// JSON; an error is a JSON string, as the specification wants it.
        package var body: String
    }

    private let point: DecisionPoint
    /// Under which others reach it, where the operator has said so; without a slash at its end.
    package let base: String?

    package init(_ point: DecisionPoint, base: String? = nil) {
        self.point = point
        self.base = base.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
    }

    /// `POST /access/v1/evaluation`.
    /// - Parameter contentType: of the request; parameters after `;` are not looked at.
    package func evaluation(_ body: [UInt8], contentType: String?) -> Answer {
        read(body, contentType) { (fields) throws(DecisionQuestion.Mistake) in try single(fields) }
    }

    /// `POST /access/v1/evaluations`: without an array, or with an empty one, the same as a single evaluation.
    package func evaluations(_ body: [UInt8], contentType: String?) -> Answer {
        read(body, contentType) { (fields) throws(DecisionQuestion.Mistake) in
            switch fields["evaluations"] {
            case nil: return try single(fields)
            case .list(let list) where list.isEmpty: return try single(fields)
            case .list(let list): return try batch(list, fields)
            default: throw DecisionQuestion.Mistake(sentence: "`evaluations` is no array.")
            }
        }
    }

    /// `GET /.well-known/authzen-configuration`.
    /// - Parameter base: under which this point is reached, such as `https://weir.example`, without a slash at its end.
    package static func discovery(base: String) -> String {
        let document = ValueMap([
            "policy_decision_point": .string(base), "access_evaluation_endpoint": .string(base + evaluationPath),
            "access_evaluations_endpoint": .string(base + evaluationsPath),
        ])
        return Value.map(document).jsonText
    }

    private func read(
        _ body: [UInt8], _ contentType: String?, _ answer: (ValueMap) throws(DecisionQuestion.Mistake) -> Value
    ) -> Answer {
        let type = contentType?.split(separator: ";").first.map { $0.filter { $0 != " " }.lowercased() }
        guard type == "application/json" else { return Self.refusal("The Content-Type is not application/json.") }
        guard !body.isEmpty else { return Self.refusal("The body is empty.") }
        guard let value = body.withUnsafeBytes({ Value(json: $0) }), case .map(let fields) = value else {
            return Self.refusal("The body is no JSON object.")
        }
        do throws(DecisionQuestion.Mistake) {
            return Answer(status: 200, body: try answer(fields).jsonText)
        } catch {
            return Self.refusal(error.sentence)
        }
    }

    private static func refusal(_ sentence: String) -> Answer {
        Answer(status: 400, body: Value.string(sentence).jsonText)
    }

    private func single(_ fields: ValueMap) throws(DecisionQuestion.Mistake) -> Value {
        decision(point.decide(try DecisionQuestion(fields)))
    }

    private func decision(_ verdict: DecisionPoint.Verdict) -> Value {
        var context = ValueMap()
        if let rule = verdict.rule { context[.string("rule")] = .string(rule) }
        context[.string("reason")] = .string(
            verdict.failure.map { "The condition of the rule could not be evaluated: \($0)." }
                ?? (verdict.rule == nil ? "No rule allows it." : "The rule says so."))
        return .map(ValueMap(["decision": .bool(verdict.isAllowed), "context": .map(context)]))
    }

    /// What ends a batch early; the answer then has fewer elements.
    private enum Semantic: String {
        case all = "execute_all"
        case firstDeny = "deny_on_first_deny"
        case firstPermit = "permit_on_first_permit"
    }

    private func batch(_ list: [Value], _ fields: ValueMap) throws(DecisionQuestion.Mistake) -> Value {
        guard list.count <= Self.questionsMost else {
            throw DecisionQuestion.Mistake(sentence: "`evaluations` has more than \(Self.questionsMost) elements.")
        }
        let semantic = try semantic(fields)
        var answers: [Value] = []
        for element in list {
            let isAllowed: Bool
            do throws(DecisionQuestion.Mistake) {
                let verdict = point.decide(try DecisionQuestion(try Self.merged(element, fields)))
                isAllowed = verdict.isAllowed
                answers.append(decision(verdict))
            } catch {
                isAllowed = false
                let problem = ValueMap(["status": .int(400), "message": .string(error.sentence)])
                let context = ValueMap(["error": .map(problem)])
                answers.append(.map(ValueMap(["decision": .bool(false), "context": .map(context)])))
            }
            if semantic == .firstDeny, !isAllowed { break }
            if semantic == .firstPermit, isAllowed { break }
        }
        return .map(ValueMap(["evaluations": .list(answers)]))
    }

    private func semantic(_ fields: ValueMap) throws(DecisionQuestion.Mistake) -> Semantic {
        guard case .map(let options) = fields["options"], let given = options["evaluations_semantic"] else {
            return .all
        }
        guard case .string(let word) = given, let semantic = Semantic(rawValue: word) else {
            throw DecisionQuestion.Mistake(sentence: "`options.evaluations_semantic` is not known.")
        }
        return semantic
    }

    /// What an element says of an entity replaces it as a whole; only its required fields come from above when they are
    /// missing.
    private static func merged(_ element: Value, _ fields: ValueMap) throws(DecisionQuestion.Mistake) -> ValueMap {
        guard case .map(var own) = element else {
            throw DecisionQuestion.Mistake(sentence: "An element of `evaluations` is no object.")
        }
        for (name, required) in [("subject", ["type", "id"]), ("action", ["name"]), ("resource", ["type", "id"])] {
            guard case .map(let above) = fields[name] else { continue }
            guard case .map(var entity) = own[name] else {
                if own[name] == nil { own[.string(name)] = .map(above) }
                continue
            }
            for field in required where entity[field] == nil {
                if let value = above[field] { entity[.string(field)] = value }
            }
            own[.string(name)] = .map(entity)
        }
        if own["context"] == nil, let context = fields["context"] { own[.string("context")] = context }
        return own
    }
}
