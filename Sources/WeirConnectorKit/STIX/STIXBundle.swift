/// STIX 2.1 objects that are sent together. Objects may refer to one another in any order.
public struct STIXBundle: Sendable, Hashable {
    /// Each with `id` and `type` at least; `ConnectorHelper.send` refuses a bundle in which one has none.
    public var objects: [JSONObject]
    /// `bundle--` and a UUID; one is made when the bundle is sent without.
    public var id: String?

    public init(_ objects: [JSONObject], id: String? = nil) {
        self.objects = objects
        self.id = id
    }

    /// Reads a bundle as files and feeds have them.
    /// - Throws: `BundleProblem` when it is no JSON, or no bundle.
    public init(json text: String) throws(BundleProblem) {
        try self.init(json: Array(text.utf8))
    }

    /// Reads a bundle as files and feeds have them, in UTF-8.
    /// - Throws: `BundleProblem` when it is no JSON, or no bundle.
    public init(json bytes: [UInt8]) throws(BundleProblem) {
        let value: JSONValue
        do throws(JSONMistake) {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw BundleProblem("The bundle is not JSON: \(error).")
        }
        guard let bundle = value.object, bundle["type"]?.text == "bundle" else {
            throw BundleProblem("A bundle is an object with `\"type\": \"bundle\"`; this is none.")
        }
        guard let elements = bundle["objects"]?.elements else {
            throw BundleProblem("The bundle has no list `objects`.")
        }
        var objects: [JSONObject] = []
        for (index, element) in elements.enumerated() {
            guard let object = element.object else {
                throw BundleProblem("Number \(index + 1) of the bundle's objects is no object.")
            }
            objects.append(object)
        }
        self.init(objects, id: bundle["id"]?.text)
    }

    /// Every object has what makes it one.
    func check() throws(BundleProblem) {
        guard !objects.isEmpty else {
            throw BundleProblem("The bundle has no objects: there is nothing to send.")
        }
        for (index, object) in objects.enumerated() {
            for name in ["id", "type"] where object[name]?.text?.isEmpty != false {
                throw BundleProblem("Number \(index + 1) of the bundle's objects has no `\(name)`.")
            }
        }
    }

    /// The bundle as JSON.
    /// - Parameter id: for one that has none.
    func text(id newID: String) -> String {
        JSONValue.object([
            "type": "bundle", "id": .string(id ?? newID), "spec_version": "2.1",
            "objects": .array(objects.map { .object($0) }),
        ]).json
    }
}

/// Why a bundle cannot be sent. It is the same at every attempt.
public struct BundleProblem: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
