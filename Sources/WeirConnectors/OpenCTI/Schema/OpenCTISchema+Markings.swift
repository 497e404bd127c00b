internal import WeirWorld

/// The standard markings of the Traffic Light Protocol, with the identifiers that STIX and OpenCTI give them.
struct Marking: Sendable, Hashable {
    let definition: String
    let standardID: String
    let order: Int
    let color: String

    static let all = [
        Marking(definition: "TLP:CLEAR", id: "613f2e26-407d-48c7-9eca-b8e91df99dc9", order: 1, color: "#ffffff"),
        Marking(definition: "TLP:GREEN", id: "34098fce-860f-48ae-8e50-ebd3cc5e41da", order: 2, color: "#2e7d32"),
        Marking(definition: "TLP:AMBER", id: "f88d31f6-486f-44da-b317-01333bde0b82", order: 3, color: "#d84315"),
        Marking(definition: "TLP:AMBER+STRICT", id: "826578e1-40ad-459f-bc73-ede076f81f37", order: 4, color: "#d84315"),
        Marking(definition: "TLP:RED", id: "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", order: 5, color: "#c62828"),
    ]

    /// When TLP's markings were defined in STIX 2.
    static let created = "2017-01-20T00:00:00.000Z"

    private init(definition: String, id: String, order: Int, color: String) {
        self.definition = definition
        standardID = "marking-definition--" + id
        self.order = order
        self.color = color
    }

    func matches(_ filter: FilterGroup) -> Bool {
        filter.values.allSatisfy { key, wanted in
            switch key {
            // TLP 1's white is TLP 2's clear.
            case "definition": wanted.contains { ($0 == "TLP:WHITE" ? "TLP:CLEAR" : $0) == definition }
            case "definition_type": wanted.contains("TLP")
            default: wanted.contains(standardID)
            }
        }
    }
}

extension OpenCTISchema {
    var markingQueries: [GraphField] {
        [
            .object(
                "markingDefinitions", "MarkingDefinitionConnection",
                [.optional("first", "Int"), .optional("after", "ID"), .optional("filters", "FilterGroup")]
            ) { call in
                let known = ["definition", "definition_type", "standard_id", "id", "ids"]
                let filter = try FilterGroup(call.arguments["filters"] ?? .null, known: known)
                let part = try GraphPage<Marking>.Part(call, most: Marking.all.count)
                return .node(GraphPage(part, of: Marking.all.filter { $0.matches(filter) }, isWhole: true))
            },
            .object("markingDefinition", "MarkingDefinition", [.required("id", "String")]) { call in
                let id = try call.requiredText("id")
                return Marking.all.first { $0.standardID == id }.map { .node($0) } ?? .null
            },
        ]
    }

    var markingTypes: [GraphObjectType] {
        [marking] + OpenCTISchema.list("MarkingDefinition", of: Marking.self)
    }

    private var marking: GraphObjectType {
        let parents = ["Basic-Object", "Stix-Object", "Stix-Meta-Object"]
        return GraphObjectType(
            "MarkingDefinition",
            [
                .leaf("id", of: Marking.self) { .string($0.standardID) },
                .leaf("standard_id", of: Marking.self) { .string($0.standardID) },
                .leaf("entity_type", of: Marking.self) { _ in .string("Marking-Definition") },
                .leaf("parent_types", of: Marking.self) { _ in .texts(parents) },
                .leaf("definition_type", of: Marking.self) { _ in .string("TLP") },
                .leaf("definition", of: Marking.self) { .string($0.definition) },
                .leaf("x_opencti_order", of: Marking.self) { .whole($0.order) },
                .leaf("x_opencti_color", of: Marking.self) { .string($0.color) },
                .leaf("created", of: Marking.self) { _ in .string(Marking.created) },
                .leaf("modified", of: Marking.self) { _ in .string(Marking.created) },
                .leaf("created_at", of: Marking.self) { _ in .string(Marking.created) },
                .leaf("updated_at", of: Marking.self) { _ in .string(Marking.created) },
            ])
    }
}
