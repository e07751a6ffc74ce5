package synth

import "slices"

// Class is one class of ImageNet-R.
type Class struct {
	WNID string // WordNet id, also the folder's name
	Name string // as in ImageNet-R's README: words joined by underscores
}

type entry struct {
	Class
	draw func(*pen)
}

// Catalogue lists the classes that can be drawn, in a fixed order that is not the alphabet's: the first N are the
// classes of a data set of N. Neighbours differ in kind, so that a small data set is a varied one.
func Catalogue() []Class {
	es := entries()
	out := make([]Class, len(es))
	for i, e := range es {
		out[i] = e.Class
	}
	return out
}

func find(wnid string) func(*pen) {
	es := entries()
	if i := slices.IndexFunc(es, func(e entry) bool { return e.WNID == wnid }); i >= 0 {
		return es[i].draw
	}
	return nil
}

func entries() []entry {
	return []entry{
		{Class{"n02007558", "flamingo"}, flamingo},
		{Class{"n07753592", "banana"}, banana},
		{Class{"n03481172", "hammer"}, hammer},
		{Class{"n02317335", "starfish"}, starfish},
		{Class{"n03272010", "electric_guitar"}, electricGuitar},
		{Class{"n01944390", "snail"}, snail},
		{Class{"n02814860", "lighthouse"}, lighthouse},
		{Class{"n02165456", "ladybug"}, ladybug},
		{Class{"n07734744", "mushroom"}, mushroom},
		{Class{"n01484850", "great_white_shark"}, shark},
		{Class{"n04275548", "spider_web"}, spiderWeb},
		{Class{"n03124170", "cowboy_hat"}, cowboyHat},
		{Class{"n02056570", "king_penguin"}, kingPenguin},
		{Class{"n02279972", "monarch_butterfly"}, monarch},
		{Class{"n04347754", "submarine"}, submarine},
		{Class{"n02325366", "wood_rabbit"}, rabbit},
		{Class{"n07753275", "pineapple"}, pineapple},
		{Class{"n02980441", "castle"}, castle},
		{Class{"n07695742", "pretzel"}, pretzel},
		{Class{"n04591713", "wine_bottle"}, wineBottle},
		{Class{"n01910747", "jellyfish"}, jellyfish},
		{Class{"n03888257", "parachute"}, parachute},
		{Class{"n02883205", "bow_tie"}, bowTie},
		{Class{"n01983481", "lobster"}, lobster},
		{Class{"n04536866", "violin"}, violin},
		{Class{"n02129165", "lion"}, lion},
		{Class{"n07614500", "ice_cream"}, iceCream},
		{Class{"n02268443", "dragonfly"}, dragonfly},
		{Class{"n03775071", "mitten"}, mitten},
		{Class{"n04310018", "steam_locomotive"}, steamLocomotive},
		{Class{"n01443537", "goldfish"}, goldfish},
		{Class{"n04254680", "soccer_ball"}, soccerBall},
		{Class{"n01843383", "toucan"}, toucan},
		{Class{"n02510455", "panda"}, panda},
		{Class{"n12267677", "acorn"}, acorn},
		{Class{"n02909870", "bucket"}, bucket},
		{Class{"n01748264", "cobra"}, cobra},
		{Class{"n04465501", "tractor"}, tractor},
		{Class{"n02672831", "accordion"}, accordion},
		{Class{"n01806143", "peacock"}, peacock},
		{Class{"n07697313", "cheeseburger"}, cheeseburger},
		{Class{"n02391049", "zebra"}, zebra},
		{Class{"n03498962", "hatchet"}, hatchet},
		{Class{"n02219486", "ant"}, ant},
		{Class{"n04522168", "vase"}, vase},
		{Class{"n03947888", "pirate_ship"}, pirateShip},
		{Class{"n02655020", "puffer_fish"}, pufferFish},
		{Class{"n02793495", "barn"}, barn},
		{Class{"n07745940", "strawberry"}, strawberry},
		{Class{"n01882714", "koala"}, koala},
		{Class{"n04141076", "saxophone"}, saxophone},
		{Class{"n01644373", "tree_frog"}, treeFrog},
		{Class{"n02948072", "candle"}, candle},
		{Class{"n04146614", "school_bus"}, schoolBus},
		{Class{"n01847000", "duck"}, duck},
		{Class{"n04192698", "shield"}, shield},
		{Class{"n01770393", "scorpion"}, scorpion},
		{Class{"n02356798", "fox_squirrel"}, foxSquirrel},
		{Class{"n09472597", "volcano"}, volcano},
		{Class{"n02823750", "beer_glass"}, beerGlass},
		{Class{"n02071294", "killer_whale"}, killerWhale},
		{Class{"n04389033", "tank"}, tank},
		{Class{"n07749582", "lemon"}, lemon},
		{Class{"n02906734", "broom"}, broom},
		{Class{"n02206856", "bee"}, bee},
		{Class{"n02395406", "pig"}, pig},
		{Class{"n03495258", "harp"}, harp},
		{Class{"n01860187", "black_swan"}, blackSwan},
		{Class{"n07873807", "pizza"}, pizza},
		{Class{"n02950826", "cannon"}, cannon},
		{Class{"n02802426", "basketball"}, basketball},
		{Class{"n01694178", "African_chameleon"}, chameleon},
		{Class{"n02843684", "birdhouse"}, birdhouse},
		{Class{"n02346627", "porcupine"}, porcupine},
		{Class{"n01986214", "hermit_crab"}, hermitCrab},
		{Class{"n07742313", "Granny_Smith"}, grannySmith},
		{Class{"n01774750", "tarantula"}, tarantula},
		{Class{"n04266014", "space_shuttle"}, spaceShuttle},
		{Class{"n04133789", "sandal"}, sandal},
		{Class{"n01833805", "hummingbird"}, hummingbird},
		{Class{"n07714990", "broccoli"}, broccoli},
		{Class{"n02437616", "llama"}, llama},
		{Class{"n02939185", "cauldron"}, cauldron},
		{Class{"n01494475", "hammerhead"}, hammerhead},
		{Class{"n03710193", "mailbox"}, mailbox},
		{Class{"n02797295", "wheelbarrow"}, wheelbarrow},
		{Class{"n02226429", "grasshopper"}, grasshopper},
		{Class{"n07693725", "bagel"}, bagel},
		{Class{"n02841315", "binoculars"}, binoculars},
		{Class{"n02480855", "gorilla"}, gorilla},
		{Class{"n01614925", "bald_eagle"}, baldEagle},
		{Class{"n03452741", "grand_piano"}, grandPiano},
		{Class{"n02607072", "clown_fish"}, clownFish},
		{Class{"n04552348", "military_aircraft"}, militaryAircraft},
		{Class{"n07697537", "hotdog"}, hotdog},
		{Class{"n02769748", "backpack"}, backpack},
		{Class{"n02236044", "mantis"}, mantis},
		{Class{"n02445715", "skunk"}, skunk},
		{Class{"n04487394", "trombone"}, trombone},
		{Class{"n01518878", "ostrich"}, ostrich},
		{Class{"n07720875", "bell_pepper"}, bellPepper},
		{Class{"n02951358", "canoe"}, canoe},
		{Class{"n02992529", "mobile_phone"}, mobilePhone},
		{Class{"n01498041", "stingray"}, stingray},
		{Class{"n04409515", "tennis_ball"}, tennisBall},
		{Class{"n02398521", "hippopotamus"}, hippo},
		{Class{"n01784675", "centipede"}, centipede},
		{Class{"n07920052", "espresso"}, espresso},
		{Class{"n02051845", "pelican"}, pelican},
		{Class{"n04086273", "revolver"}, revolver},
		{Class{"n03676483", "lipstick"}, lipstick},
		{Class{"n02190166", "fly"}, fly},
		{Class{"n03494278", "harmonica"}, harmonica},
		{Class{"n02363005", "beaver"}, beaver},
		{Class{"n01632777", "axolotl"}, axolotl},
		{Class{"n04118538", "rugby_ball"}, rugbyBall},
		{Class{"n01514859", "hen"}, hen},
		{Class{"n04147183", "schooner"}, schooner},
		{Class{"n07768694", "pomegranate"}, pomegranate},
		{Class{"n02066245", "grey_whale"}, greyWhale},
		{Class{"n03372029", "flute"}, flute},
		{Class{"n02410509", "bison"}, bison},
		{Class{"n01677366", "iguana"}, iguana},
		{Class{"n02077923", "sea_lion"}, seaLion},
		{Class{"n01820546", "lorikeet"}, lorikeet},
		{Class{"n03930630", "pickup_truck"}, pickupTruck},
		{Class{"n02423022", "gazelle"}, gazelle},
		{Class{"n03773504", "missile"}, missile},
		{Class{"n02138441", "meerkat"}, meerkat},
	}
}
